# frozen_string_literal: true

module PgEphemeral
  VERSION = "0.1.0"
end
