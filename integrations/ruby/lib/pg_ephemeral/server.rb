# frozen_string_literal: true

module PgEphemeral
  # A database, and how it is reached.
  class Database
    # The address, or over TLS the name in the server's certificate.
    attr_reader :host
    # The address, where +host+ is a name that does not lead there by itself; or nil.
    attr_reader :host_address
    attr_reader :port, :user, :password, :database
    # "disable" or "verify-full".
    attr_reader :ssl_mode
    # The file with the certificate of the server's authority, or nil. It goes with the server.
    attr_reader :ssl_root_cert
    # All of this as a connection URI.
    attr_reader :url

    def initialize(told) # :nodoc:
      @host, @host_address, @port = told.fetch("endpoint").values_at("host", "host_address", "port")
      @user, @password, @database, @ssl_mode, @ssl_root_cert, @url =
        told.values_at("user", "password", "database", "ssl_mode", "ssl_root_cert", "url")
    end

    # Environment variables for programs that are to reach the server. A variable that would lead libpq elsewhere is
    # nil, which makes Kernel#system and its like remove it.
    def environment
      foreign = ENV.keys.grep(/\APG/).to_h { |name| [name, nil] }
      foreign.merge(
        "PGHOST" => host, "PGHOSTADDR" => host_address, "PGPORT" => port.to_s, "PGUSER" => user,
        "PGPASSWORD" => password, "PGDATABASE" => database, "PGSSLMODE" => ssl_mode, "PGSSLROOTCERT" => ssl_root_cert,
        "DATABASE_URL" => url
      )
    end

    # Runs the block with a connection of the gem pg, which is closed afterwards.
    def with_connection
      require "pg"
      connection = PG.connect(url)
      begin
        yield connection
      ensure
        connection.close unless connection.finished?
      end
    end

    def inspect
      "#<#{self.class} #{host}:#{port} #{database}>"
    end
  end

  # A server that runs, and how its seeded database is reached.
  class Server < Database
    def initialize(told, child) # :nodoc:
      super(told)
      @child = child
    end

    # Runs the block with a private copy of the seeded database that is dropped afterwards, whoever is connected. While
    # the first one is made nobody may be connected to the seeded database. Raises Error when there is none.
    def with_database
      database = create_database
      begin
        yield database
      ensure
        drop_database(database)
      end
    end

    # Makes a private copy of the seeded database, for the hooks of test frameworks. It goes with the server at the latest.
    def create_database
      Database.new(@child.ask("command" => "create-database"))
    end

    # Drops a database that was made so, whoever is connected.
    def drop_database(database)
      @child.ask("command" => "drop-database", "database" => database.database)
    end

    # Stops the server and waits until everything of it is gone.
    def stop
      @child.stop
    end
  end
end
