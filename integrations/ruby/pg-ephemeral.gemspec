# frozen_string_literal: true

require_relative "lib/pg_ephemeral/version"

Gem::Specification.new do |spec|
  spec.name = "pg-ephemeral"
  spec.version = PgEphemeral::VERSION
  spec.authors = ["pg-ephemeral"]
  spec.summary = "A throw-away PostgreSQL for tests, already seeded"
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.files = Dir["lib/**/*.rb", "README.md"]
end
