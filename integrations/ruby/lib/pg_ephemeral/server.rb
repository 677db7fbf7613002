# frozen_string_literal: true

module PgEphemeral
  # The connection parameters of a database.
  class Database
    # The server's address or, with TLS, the host name in its certificate.
    attr_reader :host
    # The address to connect to if +host+ is a name that does not resolve to it; otherwise nil.
    attr_reader :host_address
    attr_reader :port, :user, :password, :database
    # "disable" or "verify-full".
    attr_reader :ssl_mode
    # The path of the CA certificate for "verify-full", or nil. The file is removed with the server.
    attr_reader :ssl_root_cert
    # All connection parameters as a URI.
    attr_reader :url

    def initialize(told) # :nodoc:
      @host, @host_address, @port = told.fetch("endpoint").values_at("host", "host_address", "port")
      @user, @password, @database, @ssl_mode, @ssl_root_cert, @url =
        told.values_at("user", "password", "database", "ssl_mode", "ssl_root_cert", "url")
    end

    # Returns environment variables for programs that connect to this database. Other PG* variables of this process are
    # nil, so that Kernel#system and similar methods remove them: they could make libpq connect to another server.
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

  # A running server, with the connection parameters of its seeded database.
  class Server < Database
    def initialize(told, child) # :nodoc:
      super(told)
      @child = child
    end

    # Runs the block with a private copy of the seeded database. The copy is dropped afterwards, even if clients are
    # connected. No client may be connected to the seeded database while the first copy is created. Raises Error if the
    # copy can't be created or dropped.
    def with_database
      database = create_database
      begin
        yield database
      ensure
        drop_database(database)
      end
    end

    # Creates a private copy of the seeded database, for the hooks of test frameworks. It lasts until it is dropped or
    # the server stops.
    def create_database
      Database.new(@child.ask("command" => "create-database"))
    end

    # Drops a database created by create_database, even if clients are connected.
    def drop_database(database)
      @child.ask("command" => "drop-database", "database" => database.database)
    end

    # Stops the server and waits until it is removed completely.
    def stop
      @child.stop
    end
  end
end
