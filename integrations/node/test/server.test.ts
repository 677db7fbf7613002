// Tests with the real binary, on the host backend.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { PgEphemeralError, type ServerOptions, startServer, withConnection, withServer } from "../src/index.js";

const CONFIG = `
[instances.main.seeds.books]
type = "sql-statement"
statement = "create table books (title text); insert into books values ('Emma'), ('Dune')"

[instances.broken.seeds.typo]
type = "sql-statement"
statement = "selec 1"
`;

let folder: string;
let options: ServerOptions;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "pg-ephemeral-node-"));
  writeFileSync(join(folder, "database.toml"), CONFIG);
  options = { folder, backend: "host" };
});

after(() => rmSync(folder, { recursive: true }));

async function titles(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ title: string }>("select title from books order by title");
  return rows.map((row) => row.title);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client(url);
  // If the server ends while the client connects, the client reports an error outside of connect() as well.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

test("a server is seeded, and gone afterwards", async () => {
  const url = await withServer(async (server) => {
    assert.deepEqual(await withConnection(titles, server), ["Dune", "Emma"]);
    return server.url;
  }, options);
  assert.equal(await answers(url), false);
});

test("a connection can have a server of its own", async () => {
  assert.deepEqual(await withConnection(titles, options), ["Dune", "Emma"]);
});

test("the environment leads other programs to it", async () => {
  await withServer((server) => {
    const env = server.environment({ ...process.env, PGSERVICE: "elsewhere", PGHOST: "nowhere" });
    assert.equal(execFileSync("psql", ["-XAtc", "select count(*) from books"], { env, encoding: "utf8" }), "2\n");
  }, options);
});

test("options reach the server", async () => {
  const others: ServerOptions = { ...options, configFile: false, parameters: { work_mem: "7MB" }, quiet: true };
  await withConnection(async (client) => {
    assert.equal((await client.query("show work_mem")).rows[0].work_mem, "7MB");
    assert.equal((await client.query("select to_regclass('books') as books")).rows[0].books, null);
  }, others);
});

test("over TLS a connection checks the server", async () => {
  await withServer(
    async (server) => {
      assert.deepEqual([server.host, server.sslMode], ["db.example.com", "verify-full"]);
      assert.ok(existsSync(server.sslRootCert ?? ""));
      const query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
      await withConnection(async (client) => assert.equal((await client.query(query)).rows[0].ssl, true), server);
      const wrong = server.clientConfig();
      wrong.ssl = { ...(wrong.ssl as object), servername: "other.example.com" };
      await assert.rejects(new pg.Client(wrong).connect(), /altnames/);
    },
    { ...options, sslHostname: "db.example.com" },
  );
});

test("each database is private, and gone afterwards", async () => {
  await withServer(async (server) => {
    const url = await server.withDatabase((first) =>
      server.withDatabase(async (second) => {
        await withConnection((client) => client.query("delete from books"), first);
        assert.deepEqual(await withConnection(titles, first), []);
        assert.deepEqual(await withConnection(titles, second), ["Dune", "Emma"]);
        return first.url;
      }),
    );
    assert.equal(await answers(url), false);
    const many = Array.from({ length: 8 }, () => server.withDatabase((database) => withConnection(titles, database)));
    for (const found of await Promise.all(many)) assert.deepEqual(found, ["Dune", "Emma"]);
  }, options);
});

test("a seeded database that is in use is told with what to do", async () => {
  await withServer(async (server) => {
    await withConnection(async () => {
      await assert.rejects(server.createDatabase(), /it has open connections[^]*hint: /);
    }, server);
  }, options);
});

test("a seed that fails is told with its reason", async () => {
  await assert.rejects(startServer({ ...options, instance: "broken" }), (error: unknown) => {
    assert.ok(error instanceof PgEphemeralError);
    assert.match(error.message, /syntax error at or near "selec"/);
    return true;
  });
});

test("wrong options are told by the status", async () => {
  await assert.rejects(startServer({ ...options, instance: "Not A Name" }), /ended with status 2/);
});

test("a program that is not there is told with what to do", async () => {
  await assert.rejects(startServer({ program: "no-such-program" }), /PG_EPHEMERAL_PROGRAM/);
});

test("a server goes with an exception", async () => {
  let url = "";
  const failing = withServer((server) => {
    url = server.url;
    throw new RangeError("on purpose");
  }, options);
  await assert.rejects(failing, RangeError);
  assert.equal(await answers(url), false);
});

test("a server goes with a process that is killed", async () => {
  const script = `
    import { startServer } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
    const server = await startServer({ backend: "host" });
    process.stdout.write(server.url, () => process.kill(process.pid, "SIGKILL"));
  `;
  const killed = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.equal(killed.signal, "SIGKILL");
  const deadline = Date.now() + 60_000;
  while (await answers(killed.stdout)) {
    assert.ok(Date.now() < deadline, "the server goes on");
    await pause(50);
  }
});
