/**
 * Throw-away, seeded PostgreSQL servers for tests and scripts. Uses the protocol of
 * `pg-ephemeral integration-server`.
 *
 * @packageDocumentation
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Client, ClientConfig } from "pg";

const PROTOCOL_VERSION = 1;
const PROGRAM_VARIABLE = "PG_EPHEMERAL_PROGRAM";

/** Options for the start of a server. */
export interface ServerOptions {
  /** The path of the binary. Default: `PG_EPHEMERAL_PROGRAM` if set, otherwise `pg-ephemeral` on `PATH`. */
  program?: string;
  /** An instance of `database.toml`. */
  instance?: string;
  image?: string;
  backend?: "auto" | "docker" | "podman" | "host";
  /** The configuration file, or `false` for none. Default: `database.toml` in `folder` or its nearest parent. */
  configFile?: string | false;
  sslHostname?: string;
  /** Server parameters, such as `work_mem`. */
  parameters?: Record<string, string>;
  /** The working directory of the program. Default: that of this process. */
  folder?: string;
  /** If true, print no messages on standard error while the server starts. */
  quiet?: boolean;
}

/** A server or a database could not be provided. */
export class PgEphemeralError extends Error {
  override readonly name = "PgEphemeralError";
  /** A hint how to solve the problem, if one is known. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(hint === undefined ? message : `${message}\nhint: ${hint}`);
    this.hint = hint;
  }
}

/** The connection parameters of a database. */
export class Database {
  /** The server's address or, with TLS, the host name in its certificate. */
  readonly host: string;
  /** The address to connect to if `host` is a name that does not resolve to it. */
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: "disable" | "verify-full";
  /** The path of the CA certificate for `verify-full`. The file is removed with the server. */
  readonly sslRootCert: string | undefined;
  /** All connection parameters as a URI in libpq's format. */
  readonly url: string;

  /** @internal */
  constructor(told: Told) {
    this.host = told.endpoint.host;
    this.hostAddress = told.endpoint.host_address ?? undefined;
    this.port = told.endpoint.port;
    this.user = told.user;
    this.password = told.password;
    this.database = told.database;
    this.sslMode = told.ssl_mode;
    this.sslRootCert = told.ssl_root_cert ?? undefined;
    this.url = told.url;
  }

  /**
   * Returns environment variables for programs that connect to this database, added to `base`. The `PG*` variables of
   * `base` are left out, because they could make libpq connect to another server.
   */
  environment(base: NodeJS.ProcessEnv = {}): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const [name, value] of Object.entries(base)) {
      if (value !== undefined && !name.startsWith("PG")) variables[name] = value;
    }
    Object.assign(variables, {
      PGHOST: this.host,
      PGPORT: String(this.port),
      PGUSER: this.user,
      PGPASSWORD: this.password,
      PGDATABASE: this.database,
      PGSSLMODE: this.sslMode,
      DATABASE_URL: this.url,
    });
    if (this.hostAddress !== undefined) variables["PGHOSTADDR"] = this.hostAddress;
    if (this.sslRootCert !== undefined) variables["PGSSLROOTCERT"] = this.sslRootCert;
    return variables;
  }

  /** Returns the configuration for a `Client` or `Pool` of `pg`. With TLS, clients verify the server's certificate. */
  clientConfig(): ClientConfig {
    const { port, user, password, database } = this;
    const config: ClientConfig = { host: this.hostAddress ?? this.host, port, user, password, database, ssl: false };
    if (this.sslRootCert !== undefined) {
      config.ssl = { ca: readFileSync(this.sslRootCert, "utf8"), servername: this.host };
    }
    return config;
  }
}

/** A running server, with the connection parameters of its seeded database. */
export class Server extends Database {
  /** @internal */
  protected readonly child: Child;

  /** @internal */
  constructor(told: Told, child: Child) {
    super(told);
    this.child = child;
    // A printed server should show its connection parameters only.
    Object.defineProperty(this, "child", { enumerable: false });
  }

  /**
   * Runs `body` with a private copy of the seeded database. The copy is dropped afterwards, even if clients are
   * connected. No client may be connected to the seeded database while the first copy is created.
   *
   * @throws {@link PgEphemeralError} if the copy can't be created or dropped.
   */
  async withDatabase<T>(body: (database: Database) => T | Promise<T>): Promise<T> {
    const database = await this.createDatabase();
    try {
      return await body(database);
    } finally {
      await this.dropDatabase(database);
    }
  }

  /**
   * Creates a private copy of the seeded database, for the hooks of test runners. It lasts until it is dropped or the
   * server stops.
   */
  async createDatabase(): Promise<Database> {
    return new Database((await this.child.ask({ command: "create-database" })) as Told);
  }

  /** Drops a database created by `createDatabase`, even if clients are connected. */
  async dropDatabase(database: Database): Promise<void> {
    await this.child.ask({ command: "drop-database", database: database.database });
  }
}

/** A server that runs until it is stopped or this process ends. */
export class RunningServer extends Server {
  /** Stops the server and waits until it is removed completely. */
  async stop(): Promise<void> {
    await this.child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Starts a server, for the hooks of test runners. Prefer `withServer` elsewhere.
 *
 * @throws {@link PgEphemeralError} if the server can't be started.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const child = new Child(options);
  try {
    return new RunningServer(await child.told(), child);
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/**
 * Runs `body` with a server that is removed afterwards, even if `body` fails.
 *
 * @throws {@link PgEphemeralError} if the server can't be started.
 */
export async function withServer<T>(body: (server: Server) => T | Promise<T>, options: ServerOptions = {}): Promise<T> {
  const server = await startServer(options);
  try {
    return await body(server);
  } finally {
    await server.stop();
  }
}

/**
 * Runs `body` with a connected client of the package `pg`, which is closed afterwards. The client connects to
 * the given server or database, or to a server that is started for it.
 *
 * @throws {@link PgEphemeralError} if the server can't be started.
 */
export async function withConnection<T>(
  body: (client: Client) => T | Promise<T>,
  where: Database | ServerOptions = {},
): Promise<T> {
  if (!(where instanceof Database)) return await withServer((server) => withConnection(body, server), where);
  const { default: pg } = await import("pg");
  const client = new pg.Client(where.clientConfig());
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

/** The first line of the protocol if the start succeeded, and the answer to `create-database`. */
interface Told {
  database: string;
  user: string;
  password: string;
  endpoint: { host: string; host_address: string | null; port: number };
  ssl_mode: "disable" | "verify-full";
  ssl_root_cert: string | null;
  url: string;
  protocol_version: number;
}

interface Refused {
  error: string;
  hint: string | null;
}

class Child {
  readonly #process: ChildProcess;
  readonly #control: Writable;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<string>;
  #refusal: PgEphemeralError | undefined;
  /** Settles when the last command has been answered. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ServerOptions) {
    const program = options.program ?? process.env[PROGRAM_VARIABLE] ?? "pg-ephemeral";
    const words = [...wordsOf(options), "integration-server", "--result-fd=3", "--control-fd=4"];
    this.#process = spawn(program, words, {
      stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"],
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
    });
    const [, , , result, control] = this.#process.stdio as unknown as [null, null, null, Readable, Writable];
    this.#control = control;
    // A failed write is ignored here: the program may have ended by itself.
    control.on("error", () => {});
    this.#lines = createInterface({ input: result })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => {
      this.#process.once("error", (error: NodeJS.ErrnoException) => {
        const hint = `install it and have it on PATH, or name it in ${PROGRAM_VARIABLE}`;
        this.#refusal = new PgEphemeralError(`start ${program}: ${error.message}`, hint);
        resolve("without having started");
      });
      this.#process.once("exit", (status, signal) => resolve(signal === null ? `with status ${status}` : `by ${signal}`));
    });
  }

  /** Waits for the line with the connection parameters of the server. */
  async told(): Promise<Told> {
    const line = await this.#lines.next();
    if (line.done) {
      const how = await this.#ended;
      throw this.#refusal ?? new PgEphemeralError(`the program ended ${how} before there was a server`);
    }
    const told = JSON.parse(line.value) as Told | Refused;
    if ("error" in told) throw new PgEphemeralError(told.error, told.hint ?? undefined);
    if (told.protocol_version !== PROTOCOL_VERSION) {
      throw new PgEphemeralError(
        `the program speaks version ${told.protocol_version} of the protocol, this package ${PROTOCOL_VERSION}`,
        "install versions of both that belong together",
      );
    }
    return told;
  }

  /** Sends a command and returns its answer. Earlier commands are answered first. */
  ask(command: Record<string, string>): Promise<object> {
    const answer = this.#last.then(async () => {
      this.#control.write(`${JSON.stringify(command)}\n`);
      const line = await this.#lines.next();
      if (line.done) throw new PgEphemeralError("the server has ended");
      const told = JSON.parse(line.value) as Refused | object;
      if ("error" in told) throw new PgEphemeralError(told.error, told.hint ?? undefined);
      return told;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async stop(): Promise<void> {
    this.#control.end();
    await this.#ended;
  }
}

function wordsOf(options: ServerOptions): string[] {
  const words: string[] = [];
  const valued = { instance: options.instance, image: options.image, backend: options.backend, "ssl-hostname": options.sslHostname };
  for (const [name, value] of Object.entries(valued)) {
    if (value !== undefined) words.push(`--${name}=${value}`);
  }
  if (options.configFile === false) words.push("--no-config-file");
  else if (options.configFile !== undefined) words.push(`--config-file=${options.configFile}`);
  for (const [name, value] of Object.entries(options.parameters ?? {})) words.push(`--parameter=${name}=${value}`);
  if (options.quiet === true) words.push("--quiet");
  return words;
}
