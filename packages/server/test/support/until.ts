// Waits for a state that has no signal of its own (a row that a background write removes), by asking again and again.
// Bounded, and says what it waited for; not for anything that can be awaited.
import { setTimeout as delay } from "node:timers/promises";

/** Asks until the answer is truthy; throws after `timeoutMs`. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer>,
  timeoutMs = 15_000,
): Promise<NonNullable<Answer>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(20);
  }
}
