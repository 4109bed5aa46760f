// One sender that awaits each answer, and one ordered webhook: what arrives must be in the sender's order, whatever is
// done to the nodes meanwhile. Repeats of what was under way are for the caller to judge.
import { setTimeout as delay } from "node:timers/promises";
import { callApi } from "../node.ts";
import { startReceiver } from "../receivers/receiver.ts";
import { CRASH_API_KEY } from "./scene.ts";

export interface OrderedLine {
  /** Publishes the next ones in turn at these nodes, each with a key, again until it is taken. */
  publish(urls: readonly string[], count: number): Promise<void>;
  /** Publishes at these nodes until the returned function is called. */
  keepPublishing(urls: readonly string[]): () => Promise<void>;
  /** Waits until so many requests have come. */
  received(howMany: number): Promise<unknown>;
  /** Waits until everything published has arrived; the numbers in the order in which they came. */
  arrived(): Promise<readonly number[]>;
  /** By how many seconds the time that requests are signed with was wrong at most. */
  worstTimestampOffS(): number;
  close(): Promise<void>;
}

export async function openOrderedLine(url: string): Promise<OrderedLine> {
  const receiver = await startReceiver();
  const headers = { authorization: `Bearer ${CRASH_API_KEY}` };
  const made = await callApi(
    url,
    "POST",
    "/v1/webhooks",
    {
      url: `${receiver.origin}/`,
      events: ["shift.closed"],
      orderingKey: true,
      timeout: 3,
      retryPolicy: { maxRetries: 50, retryDelay: 0.2, backoffMultiplier: 1 },
    },
    headers,
  );
  if (made.status !== 201) throw new Error(`${made.status} ${JSON.stringify(made.body)}`);
  let count = 0;
  const publishOne = async (at: string): Promise<void> => {
    const n = count;
    count += 1;
    const event = { event: "shift.closed", orderingKey: "till", data: { n } };
    for (let tries = 0; ; ) {
      const given = { ...headers, "idempotency-key": `line-${receiver.port}-${n}-${tries}` };
      const answer = await callApi(at, "POST", "/v1/events", event, given).catch(() => null);
      if (answer?.status === 202 && answer.body.data.deliveries > 0) return;
      // Taken by a node that has not heard of the webhook yet: it is another event.
      if (answer?.status === 202) tries += 1;
      await delay(40);
    }
  };
  return {
    async publish(urls, howMany) {
      for (let turn = 0; turn < howMany; turn += 1) await publishOne(urls[turn % urls.length] as string);
    },
    keepPublishing(urls) {
      const ending = new AbortController();
      const line = (async () => {
        for (let turn = 0; !ending.signal.aborted; turn += 1) {
          await publishOne(urls[turn % urls.length] as string);
          // A person at a till, not a flood: order is what is looked at.
          await delay(5);
        }
      })();
      return () => {
        ending.abort();
        return line;
      };
    },
    received: (howMany) => receiver.received(howMany),
    async arrived() {
      const numbers = () => receiver.requests.map(({ body }) => JSON.parse(body.toString()).data.n as number);
      await receiver.received(count);
      for (;;) {
        const seen = numbers();
        if (new Set(seen).size === count) return seen;
        await receiver.received(seen.length + 1);
      }
    },
    worstTimestampOffS: () =>
      Math.max(
        ...receiver.requests.map(({ headers: sent, receivedAtMs }) =>
          Math.abs(Number(sent["webhook-timestamp"]) - (performance.timeOrigin + receivedAtMs) / 1_000),
        ),
      ),
    async close() {
      await callApi(url, "DELETE", `/v1/webhooks/${made.body.data.id}`, undefined, headers);
      await receiver.close();
    },
  };
}
