# frozen_string_literal: true

require "json"
require_relative "pg_ephemeral/child"
require_relative "pg_ephemeral/server"
require_relative "pg_ephemeral/version"

# Throw-away, seeded PostgreSQL servers for tests and scripts. Uses the protocol of
# `pg-ephemeral integration-server`.
#
#   PgEphemeral.with_server { |server| system(server.environment, "psql", "-c", "select 1") }
#   PgEphemeral.with_connection(image: "17") { |connection| connection.exec("select version()") }
module PgEphemeral
  # A server or a database could not be provided. `hint` tells how to solve the problem, or is nil.
  class Error < StandardError
    attr_reader :hint

    def initialize(message, hint = nil)
      super(hint ? "#{message}\nhint: #{hint}" : message)
      @hint = hint
    end
  end

  # Starts a server that runs until it is stopped or this process ends. This is for the hooks of test frameworks;
  # prefer with_server elsewhere.
  #
  # program::      the binary (default: PG_EPHEMERAL_PROGRAM if set, otherwise pg-ephemeral on PATH)
  # instance::     an instance of database.toml
  # image::        the image, such as "17"
  # backend::      "auto", "docker", "podman" or "host"
  # config_file::  the configuration file, or false for none (default: database.toml in +folder+ or its nearest parent)
  # ssl_hostname:: the host name in the server's certificate; turns TLS on
  # parameters::   server parameters, such as { work_mem: "16MB" }
  # folder::       the working directory of the program (default: that of this process)
  # quiet::        if true, print no messages on standard error while the server starts
  #
  # Raises Error if the server can't be started.
  def self.start(**options)
    child = Child.new(**options)
    begin
      Server.new(child.told, child)
    rescue Exception # standard:disable Lint/RescueException -- an Interrupt stops it too
      child.stop
      raise
    end
  end

  # Runs the block with a server that is removed afterwards, even if the block fails. Returns the value of the block.
  def self.with_server(**options)
    server = start(**options)
    begin
      yield server
    ensure
      server.stop
    end
  end

  # Runs the block with a connection of the gem pg to a server that is started for it. Returns the value of the block.
  def self.with_connection(**options, &block)
    with_server(**options) { |server| server.with_connection(&block) }
  end
end
