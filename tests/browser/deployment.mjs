// Which deployment the tests run on: embedded, or with DEPLOYMENT=cluster two servers over the services of `coderoom-services`.

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

export const IS_CLUSTER = process.env.DEPLOYMENT === "cluster";

function variable(name) {
  const value = process.env[`CODEROOM_TEST_${name}`];
  if (!value) throw new Error(`CODEROOM_TEST_${name} is not set: run the tests below coderoom-services`);
  return value;
}

/** The settings of a new empty deployment as `CODEROOM_…` variables; none of them for the embedded one. */
export function newDeployment() {
  if (!IS_CLUSTER) return {};
  const name = `browser-${randomBytes(6).toString("hex")}`;
  const database = name.replace("-", "_");
  const superuser = variable("POSTGRES");
  execFileSync("psql", [superuser, "-qc", `CREATE DATABASE ${database}`]);
  const postgres = new URL(superuser);
  postgres.pathname = `/${database}`;
  return {
    CODEROOM_TABLES: "postgres",
    CODEROOM_POSTGRES_URL: postgres.href,
    CODEROOM_POSTGRES_MAX_CONNECTIONS: "8",
    CODEROOM_OBJECTS: "s3",
    CODEROOM_S3_ENDPOINT: variable("S3"),
    CODEROOM_S3_ACCESS_KEY: variable("S3_ACCESS_KEY"),
    CODEROOM_S3_SECRET_KEY: variable("S3_SECRET_KEY"),
    CODEROOM_S3_BUCKET: name,
    CODEROOM_S3_CREATE_BUCKET: "true",
    CODEROOM_BUS: "redis",
    CODEROOM_REDIS_URL: variable("REDIS"),
    CODEROOM_REDIS_PREFIX: name,
    CODEROOM_QUEUE: "rabbitmq",
    CODEROOM_RABBITMQ_URL: variable("RABBITMQ"),
    CODEROOM_RABBITMQ_EXCHANGE: `${name}.direct`,
    CODEROOM_RABBITMQ_QUEUE: `${name}.queue`,
    CODEROOM_RABBITMQ_DEAD_EXCHANGE: `${name}.dead.direct`,
    CODEROOM_RABBITMQ_DEAD_QUEUE: `${name}.dead.queue`,
  };
}

const HOLD_FILE = "import sqlite3, sys; c = sqlite3.connect(f'file:{sys.argv[1]}?mode=rw', uri=True, timeout=30, isolation_level=None); c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()";
const HOLD_TABLE = "BEGIN; LOCK TABLE edits IN EXCLUSIVE MODE; \\echo held\n";

/** Has another program write to the tables of this deployment, for long, so that no edit can be stored; gives how to let go. */
export async function holdTables(settings, data) {
  const [command, ...program] = IS_CLUSTER ? ["psql", settings.CODEROOM_POSTGRES_URL, "-qX"] : ["python3", "-c", HOLD_FILE, join(data, "coderoom.sqlite")];
  const holder = spawn(command, program, { stdio: ["pipe", "pipe", "inherit"] });
  if (IS_CLUSTER) holder.stdin.write(HOLD_TABLE);
  await new Promise((resolve, reject) => {
    holder.stdout.once("data", resolve);
    holder.once("exit", (code) => reject(new Error(`the holder ended with ${code}`)));
  });
  return () => new Promise((resolve) => holder.removeAllListeners("exit").once("exit", resolve) && holder.stdin.end());
}
