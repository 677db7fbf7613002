# frozen_string_literal: true

module PgEphemeral
  # The process of the program and the two pipes to it.
  class Child # :nodoc:
    PROTOCOL_VERSION = 1
    PROGRAM_VARIABLE = "PG_EPHEMERAL_PROGRAM"

    def initialize(program: nil, folder: nil, **options)
      program ||= ENV[PROGRAM_VARIABLE] || "pg-ephemeral"
      @lock = Mutex.new
      @result, childs_result = IO.pipe
      childs_control, @control = IO.pipe
      @pid = start([program, *words(**options)], childs_result, childs_control, folder)
    ensure
      [childs_result, childs_control].compact.each(&:close)
      [@result, @control].compact.each(&:close) unless @pid
    end

    # Waits for the line with the connection parameters of the server.
    def told
      line = @result.gets or raise Error, "the program ended with status #{wait} before there was a server"
      told = JSON.parse(line)
      raise Error.new(told["error"], told["hint"]) if told.key?("error")

      version = told["protocol_version"]
      return told if version == PROTOCOL_VERSION

      raise Error.new(
        "the program speaks version #{version} of the protocol, this gem #{PROTOCOL_VERSION}",
        "install versions of both that belong together"
      )
    end

    # Sends a command and waits for its answer.
    def ask(command)
      line = @lock.synchronize do
        @control.puts(JSON.generate(command))
        @control.flush
        @result.gets
      rescue Errno::EPIPE
        nil
      end
      raise Error, "the server has ended" unless line

      answer = JSON.parse(line)
      raise Error.new(answer["error"], answer["hint"]) if answer.key?("error")

      answer
    end

    def stop
      @control.close
      wait
      @result.close
    end

    private

    def start(command, result, control, folder)
      descriptors = { in: File::NULL, result.fileno => result, control.fileno => control }
      place = folder ? { chdir: folder.to_s } : {}
      # The child inherits both descriptors with the numbers that they have in this process.
      spoken = ["integration-server", "--result-fd=#{result.fileno}", "--control-fd=#{control.fileno}"]
      Process.spawn(*command, *spoken, **descriptors, **place)
    rescue Errno::ENOENT => e
      raise if folder && !File.directory?(folder)

      raise Error.new("start #{command.first}: #{e.message}", "install it and have it on PATH, or name it in #{PROGRAM_VARIABLE}")
    end

    def wait
      @status ||= Process.wait2(@pid).last
      @status.exitstatus || "128 + #{@status.termsig}"
    end

    def words(instance: nil, image: nil, backend: nil, config_file: nil, ssl_hostname: nil, parameters: {}, quiet: false)
      valued = { "instance" => instance, "image" => image, "backend" => backend, "ssl-hostname" => ssl_hostname }
      words = valued.compact.map { |name, value| "--#{name}=#{value}" }
      words << "--no-config-file" if config_file == false
      words << "--config-file=#{config_file}" if config_file
      words.concat(parameters.map { |name, value| "--parameter=#{name}=#{value}" })
      words << "--quiet" if quiet
      words
    end
  end
end
