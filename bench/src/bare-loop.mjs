// FROZEN. The yardstick: one Node process with no features at all, as fast as we honestly know how. HTTP in -> one
// batched insert -> 202 after the commit -> one signed request out -> one batched delete and insert of the result.
// Must never gain a feature or lose durability; any change is noted in bench/README.md, because it moves every ratio.
//
// Environment: DATABASE_URL, RECEIVER_URL (empty: capture only, no deliveries), PORT (0: any free one).
// Prints one line, {"port":…}, when it is ready; SIGTERM ends it.
import { createHmac, createSecretKey } from "node:crypto";
import { createServer } from "node:http";
import pg from "pg";
import { Pool } from "undici";
import { splitEvents } from "./lib/split-events.mjs";

const BATCH_MAX_ROWS = 2000;
const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** Enough that the sender's connections limit it and not this: with 64 a backlog grew behind 128 connections. */
const REQUESTS_IN_FLIGHT = 256;
const SECRET = createSecretKey(Buffer.from(process.env.BARE_SECRET ?? "bare-loop-signing-secret"));
const RECEIVER_URL = process.env.RECEIVER_URL ?? "";

// Body bytes travel in one packed parameter: 285,000 rows/s against 151,000 by an array of texts (one backend).
const INSERT_SQL = `
with captured as (
  insert into event (id, received_at, body)
  select $1::bigint + ordinality - 1, to_timestamp($2::float8), substring($3::bytea from start_at for byte_count)
  from unnest($4::int4[], $5::int4[]) with ordinality as packed (start_at, byte_count, ordinality)
)
insert into delivery (event_id) select generate_series($1::bigint, $6::bigint)`;
const INSERT_WITHOUT_DELIVERY_SQL = `
insert into event (id, received_at, body)
select $1::bigint + ordinality - 1, to_timestamp($2::float8), substring($3::bytea from start_at for byte_count)
from unnest($4::int4[], $5::int4[]) with ordinality as packed (start_at, byte_count, ordinality)`;
const RECORD_SQL = `
with ended as (delete from delivery where event_id = any($1::bigint[]))
insert into attempt (event_id, started_at, duration_us, status)
select event_id, to_timestamp(started_at), duration_us, status
from unnest($1::bigint[], $2::float8[], $3::int4[], $4::int2[]) as result (event_id, started_at, duration_us, status)`;
const TABLES_SQL = `
create table event (id bigint primary key, received_at timestamptz not null, body bytea not null);
create table delivery (event_id bigint primary key);
create table attempt (event_id bigint not null, started_at timestamptz not null, duration_us int not null,
  status smallint not null, primary key (event_id, started_at));
alter table delivery set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)`;

/** @typedef {{ id: number, body: Buffer, startedAtMs: number }} Delivery */

/** @type {{ body: Buffer, capture: Capture }[]} */
let openBatch = [];
let openBatchBytes = 0;
let captureBusy = false;
let nextEventId = 1;

/** @type {Delivery[]} a ring would do as well; `dueHead` makes the shift free */
let due = [];
let dueHead = 0;
let inFlightCount = 0;

/** @type {Result[]} */
let results = [];
let recordBusy = false;

const capturePg = await connect();
const recordPg = await connect();
await capturePg.query(TABLES_SQL);
const receiver =
  RECEIVER_URL === "" ? null : new Pool(new URL(RECEIVER_URL).origin, { connections: REQUESTS_IN_FLIGHT });
const receiverPath = RECEIVER_URL === "" ? "/" : new URL(RECEIVER_URL).pathname;

async function connect() {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query("set synchronous_commit = on");
  return client;
}

// ---- capture -------------------------------------------------------------------------------------------------------

/** One HTTP request that waits for the commit of its events. */
class Capture {
  /** @param {import("node:http").ServerResponse} response @param {number} eventCount */
  constructor(response, eventCount) {
    this.response = response;
    this.waitingCount = eventCount;
    this.firstId = 0;
    this.eventCount = eventCount;
  }

  /** @param {number} id */
  committed(id) {
    if (this.firstId === 0) this.firstId = id;
    this.waitingCount -= 1;
    if (this.waitingCount > 0) return;
    answer(this.response, 202, `{"success":true,"data":{"id":"evt_${this.firstId}","accepted":${this.eventCount}}}`);
  }
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {string} body */
function answer(response, status, body) {
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = /** @type {Buffer} */ (chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    if (request.url === "/v1/events/batch") return captureAll(response, splitEvents(body));
    return captureAll(response, [body]);
  });
});

/** @param {import("node:http").ServerResponse} response @param {Buffer[]} bodies */
function captureAll(response, bodies) {
  const capture = new Capture(response, bodies.length);
  for (const body of bodies) {
    openBatch.push({ body, capture });
    openBatchBytes += body.length;
  }
  if (!captureBusy) {
    // The turn ends first, so that requests read from other sockets in it share the first commit.
    captureBusy = true;
    setImmediate(flushCaptures);
  }
}

async function flushCaptures() {
  while (openBatch.length > 0) {
    const batch = takeBatch();
    const firstId = nextEventId;
    nextEventId += batch.length;
    await insert(firstId, batch);
    for (let index = 0; index < batch.length; index += 1) {
      const entry = batch[index];
      if (entry === undefined) continue;
      entry.capture.committed(firstId + index);
      if (receiver !== null) due.push({ id: firstId + index, body: entry.body, startedAtMs: 0 });
    }
    deliverDue();
  }
  captureBusy = false;
}

function takeBatch() {
  if (openBatch.length <= BATCH_MAX_ROWS && openBatchBytes <= BATCH_MAX_BYTES) {
    const whole = openBatch;
    openBatch = [];
    openBatchBytes = 0;
    return whole;
  }
  let rowCount = 0;
  let byteCount = 0;
  while (rowCount < openBatch.length && rowCount < BATCH_MAX_ROWS) {
    const length = openBatch[rowCount]?.body.length ?? 0;
    if (rowCount > 0 && byteCount + length > BATCH_MAX_BYTES) break;
    byteCount += length;
    rowCount += 1;
  }
  openBatchBytes -= byteCount;
  return openBatch.splice(0, rowCount);
}

/** @param {number} firstId @param {{ body: Buffer }[]} batch */
function insert(firstId, batch) {
  /** @type {Buffer[]} */
  const bodies = [];
  let starts = "";
  let lengths = "";
  let position = 1;
  for (const { body } of batch) {
    bodies.push(body);
    starts += starts === "" ? position : `,${position}`;
    lengths += lengths === "" ? body.length : `,${body.length}`;
    position += body.length;
  }
  const packed = Buffer.concat(bodies, position - 1);
  const values = [firstId, Date.now() / 1000, packed, `{${starts}}`, `{${lengths}}`];
  if (receiver === null) return capturePg.query({ name: "capture", text: INSERT_WITHOUT_DELIVERY_SQL, values });
  values.push(firstId + batch.length - 1);
  return capturePg.query({ name: "capture", text: INSERT_SQL, values });
}

// ---- deliver -------------------------------------------------------------------------------------------------------

function deliverDue() {
  while (inFlightCount < REQUESTS_IN_FLIGHT && dueHead < due.length) {
    const delivery = /** @type {Delivery} */ (due[dueHead]);
    dueHead += 1;
    send(delivery);
  }
  if (dueHead === due.length) {
    due = [];
    dueHead = 0;
  } else if (dueHead > 10_000) {
    due = due.slice(dueHead);
    dueHead = 0;
  }
}

/** @param {Delivery} delivery */
function send(delivery) {
  inFlightCount += 1;
  delivery.startedAtMs = performance.now();
  const signature = createHmac("sha256", SECRET).update(delivery.body).digest("hex");
  const headers = [
    "content-type",
    "application/json",
    "webhook-id",
    `evt_${delivery.id}`,
    "x-signature",
    `sha256=${signature}`,
  ];
  receiver?.dispatch({ method: "POST", path: receiverPath, headers, body: delivery.body }, new Result(delivery));
}

/** The response of one delivery; only its status is kept. */
class Result {
  /** @param {Delivery} delivery */
  constructor(delivery) {
    this.id = delivery.id;
    this.startedAtMs = delivery.startedAtMs;
    this.durationUs = 0;
    this.status = 0;
  }
  // undici's older handler methods: they get the raw headers and skip one object and one parse (30 against 35 µs a request).
  onConnect() {}
  /** @param {number} status */
  onHeaders(status) {
    this.status = status;
    return true;
  }
  onData() {
    return true;
  }
  onComplete() {
    this.finish();
  }
  onError() {
    this.finish();
  }
  finish() {
    this.durationUs = Math.round((performance.now() - this.startedAtMs) * 1000);
    inFlightCount -= 1;
    results.push(this);
    deliverDue();
    if (!recordBusy) {
      recordBusy = true;
      setImmediate(flushResults);
    }
  }
}

// ---- record --------------------------------------------------------------------------------------------------------

async function flushResults() {
  while (results.length > 0) {
    const batch = results;
    results = [];
    let ids = "";
    let starts = "";
    let durations = "";
    let statuses = "";
    for (const { id, startedAtMs, durationUs, status } of batch) {
      const comma = ids === "" ? "" : ",";
      ids += comma + id;
      starts += comma + (performance.timeOrigin + startedAtMs) / 1000;
      durations += comma + durationUs;
      statuses += comma + status;
    }
    const values = [`{${ids}}`, `{${starts}}`, `{${durations}}`, `{${statuses}}`];
    await recordPg.query({ name: "record", text: RECORD_SQL, values });
  }
  recordBusy = false;
}

// ---- life ----------------------------------------------------------------------------------------------------------

server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  process.stdout.write(`${JSON.stringify({ port: address.port })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
// Whoever started it with a channel is gone: do not stay behind.
process.on("disconnect", () => process.exit(0));
