# frozen_string_literal: true

require "json"
require_relative "pg_ephemeral/child"
require_relative "pg_ephemeral/server"
require_relative "pg_ephemeral/version"

# Throw-away PostgreSQL servers for tests and scripts, already seeded, over the protocol of
# `pg-ephemeral integration-server`.
#
#   PgEphemeral.with_server { |server| system(server.environment, "psql", "-c", "select 1") }
#   PgEphemeral.with_connection(image: "17") { |connection| connection.exec("select version()") }
module PgEphemeral
  # There is no server. `hint` says what to do about it, or is nil.
  class Error < StandardError
    attr_reader :hint

    def initialize(message, hint = nil)
      super(hint ? "#{message}\nhint: #{hint}" : message)
      @hint = hint
    end
  end

  # Starts a server, which runs until it is stopped, at the latest until this process ends. For the hooks of test
  # frameworks; a block is safer where it fits.
  #
  # program::      the binary; else the one that PG_EPHEMERAL_PROGRAM names, else pg-ephemeral on PATH
  # instance::     an instance of database.toml
  # image::        such as "17"
  # backend::      "auto", "docker", "podman" or "host"
  # config_file::  another file than the database.toml that is found from +folder+; false for none at all
  # ssl_hostname:: turns TLS on
  # parameters::   of the server, such as { work_mem: "16MB" }
  # folder::       where the program runs, by default here
  # quiet::        tell nothing on standard error while the server starts
  #
  # Raises Error when there is no server.
  def self.start(**options)
    child = Child.new(**options)
    begin
      Server.new(child.told, child)
    rescue Exception # standard:disable Lint/RescueException -- an Interrupt stops it too
      child.stop
      raise
    end
  end

  # Runs the block with a server that is gone afterwards, whatever becomes of it. Gives what the block gives.
  def self.with_server(**options)
    server = start(**options)
    begin
      yield server
    ensure
      server.stop
    end
  end

  # Runs the block with a connection of the gem pg to a server of its own. Gives what the block gives.
  def self.with_connection(**options, &block)
    with_server(**options) { |server| server.with_connection(&block) }
  end
end
