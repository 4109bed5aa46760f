// Goes the way of a request without sending one: name, guard, connection, certificates. For whoever asks what is wrong
// with a receiver. Must be guarded exactly as a delivery is: it uses the same dialling, and says no more than it.
import { Dial, type DialContext, type DialTarget } from "./dial.ts";
import type { SeenTls } from "./inspect-tls.ts";
import type { Failure } from "./result.ts";

/** What there is to see on the way to a receiver, up to the end of the TLS handshake. */
export interface Inspection {
  /** How far it came. */
  readonly reached: "dns" | "connect" | "tls";
  /** Why a delivery would not get through; null when it would. */
  readonly failure: Failure | null;
  /** `ip:port`; null before dialling and where the guard refused. */
  readonly address: string | null;
  readonly isEncrypted: boolean;
  readonly chain: SeenTls["chain"];
  readonly protocol: SeenTls["protocol"];
  readonly timings: { readonly dnsMs: number | null; readonly connectMs: number | null; readonly tlsMs: number | null };
}

/** Where the URL itself was refused: nothing was looked up. */
export function refusedInspection(url: string, failure: Failure): Inspection {
  const timings = { dnsMs: null, connectMs: null, tlsMs: null };
  const isEncrypted = url.startsWith("https:");
  return { reached: "dns", failure, address: null, isEncrypted, chain: [], protocol: null, timings };
}

export class Inspections {
  /** What ends those under way. */
  readonly #stops = new Set<() => void>();
  #isStopped = false;

  /** Settles within `timeoutMs`; never rejects. */
  async run(
    context: DialContext,
    target: DialTarget,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Inspection> {
    const dial = new Dial(context, target, () => {});
    let timer: NodeJS.Timeout | undefined;
    let stop = (): void => {};
    const ended = new Promise<Failure>((resolve) => {
      stop = () => resolve({ kind: "aborted", phase: dial.phase });
      timer = setTimeout(() => resolve({ kind: "timed_out", phase: dial.phase }), timeoutMs);
    });
    this.#stops.add(stop);
    signal?.addEventListener("abort", stop, { once: true });
    if (this.#isStopped || signal?.aborted === true) stop();
    const seen = await Promise.race([ended, dial.inspect()]);
    const { phase: reached, address, dnsMs, connectMs, tlsMs } = dial;
    clearTimeout(timer);
    this.#stops.delete(stop);
    signal?.removeEventListener("abort", stop);
    dial.cancel();
    return {
      ...("chain" in seen ? seen : { chain: [], protocol: null, failure: seen }),
      reached,
      address,
      isEncrypted: target.url.protocol === "https:",
      timings: { dnsMs, connectMs, tlsMs },
    };
  }

  stop(): void {
    this.#isStopped = true;
    for (const stop of this.#stops) stop();
  }
}
