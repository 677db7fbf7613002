# frozen_string_literal: true

require_relative "pg_ephemeral"
