import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startServer, withConnection } from "pg-ephemeral";
import { lend } from "./lending.js";

let server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

/** Declares a test that gets a private copy of the seeded database. */
function withBooks(name, body) {
  test(name, () => server.withDatabase((database) => withConnection(body, database)));
}

withBooks("a book is lent once", async (client) => {
  assert.equal(await lend(client, "Emma", "Ann"), true);
  assert.equal(await lend(client, "Emma", "Bob"), false);
});

withBooks("no test sees what another did", async (client) => {
  assert.equal(await lend(client, "Emma", "Bob"), true);
});
