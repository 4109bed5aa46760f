// By what a webhook's deliveries are ordered: its own expression over the event, else the key that the sender gave, else
// one key for all the rest. Must always give an ordered webhook a key: order that is silently missing is worse than slow.
import { createHash } from "node:crypto";
import { compileExpression, type Program } from "../expressions/compile.ts";
import { ExpressionFault } from "../expressions/errors.ts";
import { ExactNumber } from "../expressions/numbers.ts";
import type { Scope } from "../expressions/scope.ts";
import type { Value } from "../expressions/values.ts";
import type { Webhook } from "../storage/configuration.ts";

/** Longer texts are kept by their hash: the key is part of an index. */
const MAX_LENGTH = 200;
/** Half a surrogate pair: a text column holds neither that nor U+0000, and a payload may. */
const HALF_A_PAIR = /\p{Cs}/u;
/** For events that have no key. */
const SHARED_KEY = "";

export class OrderingKeys {
  readonly #onFault: (webhook: Webhook, fault: ExpressionFault) => void;
  readonly #programs = new WeakMap<Webhook, Program | null>();

  /** @param onFault the expression went beyond its budget for an event, which then counts as having no value */
  constructor(onFault: (webhook: Webhook, fault: ExpressionFault) => void) {
    this.#onFault = onFault;
  }

  /**
   * The key of one delivery; null when the webhook is not ordered.
   * @param sentKey what the sender gave with the event
   * @param scope asked for only where the webhook has an expression
   */
  keyOf(webhook: Webhook, sentKey: string | null, scope: () => Scope): string | null {
    if (webhook.orderingKey === null) return null;
    const program = this.#programOf(webhook);
    if (program === null) return sentKey ?? SHARED_KEY;
    const value = program.evaluate(scope());
    if (value instanceof ExpressionFault) {
      this.#onFault(webhook, value);
      return sentKey ?? SHARED_KEY;
    }
    return textOf(value) ?? sentKey ?? SHARED_KEY;
  }

  #programOf(webhook: Webhook): Program | null {
    const present = this.#programs.get(webhook);
    if (present !== undefined) return present;
    let program: Program | null = null;
    if (typeof webhook.orderingKey === "string") {
      const compilation = compileExpression(webhook.orderingKey);
      if (compilation.ok) program = compilation.program;
    }
    this.#programs.set(webhook, program);
    return program;
  }
}

/** Null for what names nothing: an absent value, null, an empty text, a list, an object. */
function textOf(value: Value): string | null {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof ExactNumber) return value.text;
  if (typeof value !== "string" || value === "") return null;
  if (value.length <= MAX_LENGTH && !value.includes("\u0000") && !HALF_A_PAIR.test(value)) return value;
  return `sha256:${createHash("sha256").update(value).digest("hex")}`;
}
