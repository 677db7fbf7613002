# frozen_string_literal: true

# Tests with the real binary, on the host backend.

require "minitest/autorun"
require "open3"
require "pg"
require "rbconfig"
require "tmpdir"
require "pg_ephemeral"

class ServerTest < Minitest::Test
  LIBRARY = File.expand_path("../lib", __dir__)
  CONFIG = <<~TOML
    [instances.main.seeds.books]
    type = "sql-statement"
    statement = "create table books (title text); insert into books values ('Emma'), ('Dune')"

    [instances.broken.seeds.typo]
    type = "sql-statement"
    statement = "selec 1"
  TOML

  def setup
    @folder = Dir.mktmpdir("pg-ephemeral-ruby-")
    File.write(File.join(@folder, "database.toml"), CONFIG)
    @options = { folder: @folder, backend: "host" }
  end

  def teardown
    FileUtils.remove_entry(@folder)
  end

  def titles(connection)
    connection.exec("select title from books order by title").column_values(0)
  end

  def test_a_server_is_seeded_and_gone_afterwards
    url = PgEphemeral.with_server(**@options) do |server|
      assert_equal %w[Dune Emma], server.with_connection { |connection| titles(connection) }
      server.url
    end
    assert_raises(PG::ConnectionBad) { PG.connect(url) }
  end

  def test_a_connection_can_have_a_server_of_its_own
    assert_equal(%w[Dune Emma], PgEphemeral.with_connection(**@options) { |connection| titles(connection) })
  end

  def test_the_environment_leads_other_programs_to_it
    ENV["PGSERVICE"] = "elsewhere"
    PgEphemeral.with_server(**@options) do |server|
      out, status = Open3.capture2(server.environment, "psql", "-XAtc", "select count(*) from books")
      assert_equal [0, "2\n"], [status.exitstatus, out]
    end
  ensure
    ENV.delete("PGSERVICE")
  end

  def test_options_reach_the_server
    options = @options.merge(config_file: false, parameters: { work_mem: "7MB" }, quiet: true)
    PgEphemeral.with_connection(**options) do |connection|
      assert_equal "7MB", connection.exec("show work_mem").getvalue(0, 0)
      assert_nil connection.exec("select to_regclass('books')").getvalue(0, 0)
    end
  end

  def test_over_tls_a_connection_checks_the_server
    PgEphemeral.with_server(**@options, ssl_hostname: "db.example.com") do |server|
      assert_equal ["db.example.com", "verify-full"], [server.host, server.ssl_mode]
      assert_path_exists server.ssl_root_cert
      server.with_connection do |connection|
        assert_equal "t", connection.exec("select ssl from pg_stat_ssl where pid = pg_backend_pid()").getvalue(0, 0)
      end
      refute_includes server.inspect, server.password
    end
  end

  def test_each_database_is_private_and_gone_afterwards
    PgEphemeral.with_server(**@options) do |server|
      url = server.with_database do |first|
        server.with_database do |second|
          first.with_connection { |connection| connection.exec("delete from books") }
          found = [first, second].map { |database| database.with_connection { |connection| titles(connection) } }
          assert_equal [[], %w[Dune Emma]], found
        end
        first.url
      end
      error = assert_raises(PG::ConnectionBad) { PG.connect(url) }
      assert_includes error.message, "does not exist"
    end
  end

  def test_databases_can_be_made_by_many_threads
    PgEphemeral.with_server(**@options) do |server|
      threads = Array.new(8) do
        Thread.new { server.with_database { |database| database.with_connection { |connection| titles(connection) } } }
      end
      assert_equal [%w[Dune Emma]], threads.map(&:value).uniq
    end
  end

  def test_a_seeded_database_that_is_in_use_is_told_with_what_to_do
    PgEphemeral.with_server(**@options) do |server|
      server.with_connection do
        error = assert_raises(PgEphemeral::Error) { server.create_database }
        assert_includes error.message, "it has open connections"
        refute_nil error.hint
      end
    end
  end

  def test_a_seed_that_fails_is_told_with_its_reason
    error = assert_raises(PgEphemeral::Error) { PgEphemeral.start(**@options, instance: "broken") }
    assert_includes error.message, 'syntax error at or near "selec"'
  end

  def test_wrong_options_are_told_by_the_status
    error = assert_raises(PgEphemeral::Error) { PgEphemeral.start(**@options, instance: "Not A Name") }
    assert_includes error.message, "ended with status 2"
  end

  def test_a_program_that_is_not_there_is_told_with_what_to_do
    error = assert_raises(PgEphemeral::Error) { PgEphemeral.start(program: "no-such-program") }
    assert_includes error.hint, "PG_EPHEMERAL_PROGRAM"
  end

  def test_a_server_goes_with_an_exception
    url = nil
    assert_raises(RangeError) do
      PgEphemeral.with_server(**@options) do |server|
        url = server.url
        raise RangeError, "on purpose"
      end
    end
    assert_raises(PG::ConnectionBad) { PG.connect(url) }
  end

  def test_a_server_goes_with_a_process_that_is_killed
    script = <<~RUBY
      server = PgEphemeral.start(backend: "host")
      $stdout.write(server.url)
      $stdout.flush
      Process.kill(:KILL, Process.pid)
    RUBY
    url, status = Open3.capture2(RbConfig.ruby, "-I#{LIBRARY}", "-rpg_ephemeral", "-e", script, chdir: @folder)
    assert_equal Signal.list["KILL"], status.termsig
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
    loop do
      PG.connect(url).close
      assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC), :<, deadline, "the server goes on"
      sleep 0.05
    rescue PG::ConnectionBad
      break
    end
  end
end
