/**
 * Throw-away PostgreSQL servers for tests and scripts, already seeded, over the protocol of
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

/** What server to start, and how. */
export interface ServerOptions {
  /** The binary; else the one that `PG_EPHEMERAL_PROGRAM` names, else `pg-ephemeral` on `PATH`. */
  program?: string;
  /** An instance of `database.toml`. */
  instance?: string;
  image?: string;
  backend?: "auto" | "docker" | "podman" | "host";
  /** Another file than the `database.toml` that is found from `folder`; `false` for none at all. */
  configFile?: string | false;
  sslHostname?: string;
  /** Server parameters, such as `work_mem`. */
  parameters?: Record<string, string>;
  /** Where the program runs, by default here. */
  folder?: string;
  /** Tell nothing on standard error while the server starts. */
  quiet?: boolean;
}

/** There is no server. */
export class PgEphemeralError extends Error {
  override readonly name = "PgEphemeralError";
  /** What to do about it, where something is known. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(hint === undefined ? message : `${message}\nhint: ${hint}`);
    this.hint = hint;
  }
}

/** How a database is reached. */
export class Database {
  /** The address, or over TLS the name in the server's certificate. */
  readonly host: string;
  /** The address, where `host` is a name that does not lead there by itself. */
  readonly hostAddress: string | undefined;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly sslMode: "disable" | "verify-full";
  /** The file with the certificate of the server's authority. It goes with the server. */
  readonly sslRootCert: string | undefined;
  /** All of this as a connection URI of libpq's form. */
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

  /** Environment variables for programs that are to reach the server. Those of `base` that would lead libpq elsewhere are left out. */
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

  /** What `pg` takes, for a `Client` or a `Pool`. Over TLS the server is checked against its own authority and name. */
  clientConfig(): ClientConfig {
    const { port, user, password, database } = this;
    const config: ClientConfig = { host: this.hostAddress ?? this.host, port, user, password, database, ssl: false };
    if (this.sslRootCert !== undefined) {
      config.ssl = { ca: readFileSync(this.sslRootCert, "utf8"), servername: this.host };
    }
    return config;
  }
}

/** A server that runs, and how its seeded database is reached. */
export class Server extends Database {
  /** @internal */
  protected readonly child: Child;

  /** @internal */
  constructor(told: Told, child: Child) {
    super(told);
    this.child = child;
    // Whoever looks at a server wants to see how it is reached, and not this.
    Object.defineProperty(this, "child", { enumerable: false });
  }

  /**
   * Runs `body` with a private copy of the seeded database that is dropped afterwards, whoever is connected. While the
   * first one is made nobody may be connected to the seeded database.
   *
   * @throws {@link PgEphemeralError} when there is none.
   */
  async withDatabase<T>(body: (database: Database) => T | Promise<T>): Promise<T> {
    const database = await this.createDatabase();
    try {
      return await body(database);
    } finally {
      await this.dropDatabase(database);
    }
  }

  /** Makes a private copy of the seeded database, for the hooks of test runners. It goes with the server at the latest. */
  async createDatabase(): Promise<Database> {
    return new Database((await this.child.ask({ command: "create-database" })) as Told);
  }

  /** Drops a database that was made so, whoever is connected. */
  async dropDatabase(database: Database): Promise<void> {
    await this.child.ask({ command: "drop-database", database: database.database });
  }
}

/** A server that runs until it is stopped, at the latest until this process ends. */
export class RunningServer extends Server {
  /** Stops the server and waits until everything of it is gone. */
  async stop(): Promise<void> {
    await this.child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Starts a server. `withServer` is the better choice where it fits; this is for the hooks of test runners.
 *
 * @throws {@link PgEphemeralError} when there is no server.
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
 * Runs `body` with a server that is gone afterwards, whatever becomes of it.
 *
 * @throws {@link PgEphemeralError} when there is no server.
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
 * Runs `body` with a connected client of the package `pg`, which is closed afterwards. It is connected to the
 * server or database that is given, or to a server of its own.
 *
 * @throws {@link PgEphemeralError} when there is no server.
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

/** The first line of the protocol, when there is a server. */
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
  /** Settles when the last command is answered. */
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
    // It may have ended by itself.
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

  /** Waits for the line that tells how the server is reached. */
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

  /** Sends a command. Answers come in the order of the commands. */
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
