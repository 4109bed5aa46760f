// One request from its first step to its one result: dial or reuse, write, read the head, read a little body.
// It must always settle, exactly once, by its own deadline, whatever the receiver does or fails to do.
import type { Dispatcher } from "undici";
import type { AddressList } from "../addresses/address-list.ts";
import type { CheckedUrl } from "./check-url.ts";
import { Connection, STALE_CONNECTION } from "./connection.ts";
import { type DeadlineWheel, UNSCHEDULED, type WheelEntry } from "./deadline-wheel.ts";
import { Dial, type DialContext, type Dialled } from "./dial.ts";
import { classifyHttpError, type HttpPhase } from "./failures.ts";
import type { IdleConnections } from "./idle-connections.ts";
import { errorCode } from "./resolver.ts";
import { ResponseReader } from "./response-reader.ts";
import type { Failure, Phase, PhaseTimings, SendResult, Trace } from "./result.ts";
import type { TlsIdentity } from "./tls-identity.ts";

/** What all attempts of one client share. */
export interface AttemptContext extends DialContext {
  readonly wheel: DeadlineWheel<Attempt>;
  readonly idle: IdleConnections;
  /** Bounds connect and TLS together, within the attempt's own deadline. */
  readonly dialTimeoutMs: number;
  /** Bounds reading the body after the head. */
  readonly bodyTimeoutMs: number;
  readonly idleMs: number;
  readonly onConnectionClosed: (connection: Connection) => void;
}

/** The request as it will be written. */
export interface PreparedRequest {
  readonly url: CheckedUrl;
  readonly poolKey: string;
  readonly identity: TlsIdentity;
  /** Part of `poolKey` too. */
  readonly allowedIps: AddressList | null;
  readonly method: string;
  readonly headers: string[];
  readonly body: Uint8Array | null;
  readonly timeoutMs: number;
  readonly keptBodyBytes: number;
}

/** Who is told: one of the two functions is called, once. */
export interface Ending {
  readonly resolve: (result: SendResult) => void;
  /** Our own code failed; nothing the network does leads here. */
  readonly reject: (error: unknown) => void;
  /** The attempts that one abort signal governs; an attempt leaves the group when it ends. */
  readonly group: Set<Attempt> | null;
}

const MAX_INTERIM_RESPONSES = 20;

export class Attempt implements WheelEntry<Attempt>, Dispatcher.DispatchHandler {
  wheelPrevious: Attempt | null = null;
  wheelNext: Attempt | null = null;
  wheelSlot = UNSCHEDULED;
  dueAtMs = 0;

  readonly #context: AttemptContext;
  readonly #request: PreparedRequest;
  readonly #ending: Ending;
  readonly #startedAtMs: number;
  readonly #deadlineAtMs: number;
  #dial: Dial | null = null;
  #isDialling = false;
  #connection: Connection | null = null;
  #reader: ResponseReader | null = null;
  #isReused = false;
  #address: string | null = null;
  #certificateExpiresAtMs: number | null = null;
  #writtenAtMs: number | null = null;
  #headAtMs: number | null = null;
  #interimCount = 0;
  #isSettled = false;

  constructor(context: AttemptContext, request: PreparedRequest, ending: Ending) {
    this.#context = context;
    this.#request = request;
    this.#ending = ending;
    this.#startedAtMs = context.nowMs();
    this.#deadlineAtMs = this.#startedAtMs + request.timeoutMs;
  }

  start(): void {
    this.#context.wheel.schedule(this, this.#deadlineAtMs);
    const connection = this.#context.idle.take(this.#request.poolKey, this.#startedAtMs);
    if (connection === null) {
      this.#startDialling();
      return;
    }
    this.#isReused = true;
    this.#sendOn(connection);
  }

  /** Ends the attempt because we stop, not because of the receiver. A head that has arrived still counts. */
  abort(): void {
    this.#end({ kind: "aborted", phase: this.#phase() });
  }

  onDeadline(): void {
    this.#end({ kind: "timed_out", phase: this.#phase() });
  }

  // From here to onError: called by undici, in this order, for the one request on this connection.

  onConnect(abort: (error?: Error) => void): void {
    if (this.#isSettled) abort();
    else this.#writtenAtMs = this.#context.nowMs();
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (this.#isSettled) return true;
    if (status < 200) {
      this.#interimCount++;
      if (this.#interimCount > MAX_INTERIM_RESPONSES) this.#fail({ kind: "invalid_response", code: "INTERIM_FLOOD" });
      return true;
    }
    if (status > 599) {
      this.#fail({ kind: "invalid_response", code: "STATUS_OUT_OF_RANGE" });
      return true;
    }
    this.#headAtMs = this.#context.nowMs();
    this.#reader = new ResponseReader(status, rawHeaders, this.#request.keptBodyBytes);
    this.#context.wheel.schedule(this, this.#headAtMs + this.#context.bodyTimeoutMs);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (!this.#isSettled && this.#reader?.read(chunk) === "full") this.#respond(true);
    return true;
  }

  onComplete(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (this.#isSettled || connection === null) return;
    this.#respond(false);
    this.#context.idle.put(connection, this.#context.nowMs());
  }

  onError(error: Error): void {
    if (this.#isSettled) return;
    const code = errorCode(error, "");
    if (code === STALE_CONNECTION || (this.#isReused && this.#writtenAtMs === null)) {
      this.#replaceStaleConnection();
    } else if (code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED") {
      // Method, path or headers that cannot be written: refused before a byte was sent.
      this.#fail({
        kind: "blocked",
        code: "REQUEST_INVALID",
        message: `The request cannot be sent: ${error.message}.`,
      });
    } else {
      this.#end(classifyHttpError(error, this.#httpPhase()));
    }
  }

  /** Nothing was written, so a new connection repeats nothing; a fresh one that closes is a failure. */
  #replaceStaleConnection(): void {
    this.#connection?.destroy();
    this.#connection = null;
    this.#address = null;
    if (!this.#isReused) {
      this.#fail({ kind: "connection_failed", phase: "request", code: "CLOSED" });
      return;
    }
    this.#isReused = false;
    this.#startDialling();
  }

  #startDialling(): void {
    this.#dialAndSend().catch((error: unknown) => {
      this.#close();
      this.#ending.reject(error);
    });
  }

  async #dialAndSend(): Promise<void> {
    const dial = new Dial(this.#context, this.#request, () => this.#boundDial());
    this.#dial = dial;
    this.#isDialling = true;
    const dialled = await dial.run();
    this.#isDialling = false;
    if (dialled.kind === "dialled" && !this.#isSettled) {
      this.#context.wheel.schedule(this, this.#deadlineAtMs);
      this.#sendOn(this.#openConnection(dialled, dial));
      return;
    }
    if (dialled.kind === "dialled") dialled.socket.destroy();
    else this.#fail(dialled);
  }

  #openConnection(dialled: Dialled, dial: Dial): Connection {
    return new Connection({
      poolKey: this.#request.poolKey,
      origin: this.#request.url.origin,
      address: dial.address ?? "",
      openedAtMs: this.#context.nowMs(),
      certificateExpiresAtMs: dialled.certificateExpiresAtMs,
      socket: dialled.socket,
      idleMs: this.#context.idleMs,
      onClosed: this.#context.onConnectionClosed,
    });
  }

  /** A black hole must not hold its slot for the whole of a long deadline. */
  #boundDial(): void {
    if (this.#isSettled) return;
    const dialDeadlineAtMs = this.#context.nowMs() + this.#context.dialTimeoutMs;
    this.#context.wheel.schedule(this, Math.min(dialDeadlineAtMs, this.#deadlineAtMs));
  }

  #sendOn(connection: Connection): void {
    this.#connection = connection;
    this.#address = connection.address;
    this.#certificateExpiresAtMs = connection.certificateExpiresAtMs;
    const { url, method, headers, body } = this.#request;
    connection.dispatch({ path: url.path, method: method as Dispatcher.HttpMethod, headers, body }, this);
  }

  /** Ends by the head if there is one, else by the failure. */
  #end(failure: Failure): void {
    if (this.#reader === null) this.#fail(failure);
    else this.#respond(true);
  }

  #fail(failure: Failure): void {
    if (this.#isSettled) return;
    this.#settle({ ...failure, ...this.#trace() });
  }

  #respond(isCutShort: boolean): void {
    if (this.#isSettled || this.#reader === null) return;
    const reader = this.#reader;
    // Field by field: two spreads here cost 4 % of a request's processor time (profile of the bench).
    this.#settle({
      kind: "responded",
      status: reader.status,
      headers: reader.headers,
      headersTruncated: reader.headersTruncated,
      body: reader.body,
      bodyReadBytes: reader.readBytes,
      bodyTruncated: isCutShort || reader.readBytes > reader.body.length,
      certificateExpiresAtMs: this.#certificateExpiresAtMs,
      address: this.#address,
      reusedConnection: this.#isReused,
      requestStarted: true,
      timings: this.#timings(),
    });
  }

  #settle(result: SendResult): void {
    this.#close();
    this.#ending.resolve(result);
  }

  #close(): void {
    this.#isSettled = true;
    this.#context.wheel.cancel(this);
    this.#ending.group?.delete(this);
    // onComplete has taken a reusable connection away by now; what is left is in an unknown state.
    this.#connection?.destroy();
    this.#connection = null;
    if (this.#isDialling) this.#dial?.cancel();
  }

  #phase(): Phase {
    return this.#isDialling && this.#dial !== null ? this.#dial.phase : this.#httpPhase();
  }

  #httpPhase(): HttpPhase {
    if (this.#writtenAtMs === null) return "request";
    return (this.#connection?.unsentBytes ?? 0) > 0 && this.#headAtMs === null ? "request" : "response";
  }

  #trace(): Trace {
    return {
      address: this.#address ?? this.#dial?.address ?? null,
      reusedConnection: this.#isReused,
      requestStarted: this.#writtenAtMs !== null,
      timings: this.#timings(),
    };
  }

  #timings(): PhaseTimings {
    const dial = this.#dial;
    return {
      dnsMs: dial === null ? null : dial.dnsMs,
      connectMs: dial === null ? null : dial.connectMs,
      tlsMs: dial === null ? null : dial.tlsMs,
      firstByteMs: this.#headAtMs === null || this.#writtenAtMs === null ? null : this.#headAtMs - this.#writtenAtMs,
      totalMs: this.#context.nowMs() - this.#startedAtMs,
    };
  }
}
