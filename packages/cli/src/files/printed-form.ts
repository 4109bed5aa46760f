// A webhook in the printed form (`Webhook Name`, `Endpoint URL`, …) as a tree of the own form, places kept.
// Must never guess: a name or a value that the form does not know is refused, with what is possible.
import { nearestNames } from "@posthorn/contract";
import { parseDuration, parseRate } from "./printed-words.ts";
import { memberOf, type Place, type Problem, scalar, type Tree, type TreeMap, type TreeMember } from "./tree.ts";

export interface Converted {
  readonly webhook: TreeMap;
  readonly problems: readonly Problem[];
}

/** Printed names begin with a capital; names of the own form never do. */
export function isPrintedForm(webhook: TreeMap): boolean {
  return webhook.members.some(({ key }) => /^[A-Z]/.test(key));
}

/** Placeholders must have been filled. */
export function convertPrinted(webhook: TreeMap): Converted {
  const conversion = new Conversion();
  return { webhook: conversion.webhook(webhook), problems: conversion.problems };
}

type Convert = (member: TreeMember) => readonly TreeMember[];

class Conversion {
  readonly problems: Problem[] = [];

  webhook(map: TreeMap): TreeMap {
    const members = this.#section(map, "", {
      "Webhook Name": (member) => this.#text(member, "name"),
      "Endpoint URL": (member) => this.#text(member, "url"),
      Method: (member) => this.#text(member, "method"),
      Authentication: (member) => this.#authentication(member),
      "Event Triggers": (member) => this.#renamed(member, "events"),
      "Payload Format": (member) => this.#payloadFormat(member),
      Filters: (member) => this.#renamed(member, "filters"),
      "Retry Policy": (member) => this.#retryPolicy(member),
      "Security Settings": (member) => this.#securitySettings(member),
    });
    for (const required of ["Webhook Name", "Endpoint URL", "Event Triggers"]) {
      if (memberOf(map, required) === undefined) this.#complain(map.place, `${required} is missing.`);
    }
    return { ...map, members };
  }

  #authentication(member: TreeMember): TreeMember[] {
    const map = this.#mapOf(member);
    if (map === null) return [];
    const type = memberOf(map, "Type");
    if (type === undefined) {
      this.#complain(member.keyPlace, `Authentication needs a Type: ${Object.keys(AUTH_TYPES).join(", ")}.`);
      return [];
    }
    const kind = this.#choice(type, AUTH_TYPES);
    if (kind === null) return [];
    const parts: Record<string, Convert> = { Type: () => [made(type, "type", kind.type)] };
    for (const [printed, own] of Object.entries(kind.members)) {
      parts[printed] = (part) => this.#text(part, own);
      if (memberOf(map, printed) === undefined) {
        this.#complain(member.keyPlace, `Authentication of Type ${String(textOf(type))} needs ${printed}.`);
      }
    }
    return [within(member, "auth", this.#section(map, "Authentication", parts))];
  }

  #payloadFormat(member: TreeMember): TreeMember[] {
    const template = this.#mapOf(member);
    if (template === null) return [];
    const transform = [
      { ...member, key: "template", value: template },
      made(member, "contentType", "application/json"),
    ];
    return [within(member, "transform", transform)];
  }

  #retryPolicy(member: TreeMember): TreeMember[] {
    const map = this.#mapOf(member);
    if (map === null) return [];
    const policy: TreeMember[] = [];
    const timeout = this.#section(map, "Retry Policy", {
      "Max Attempts": (part) => {
        const attempts = Number(textOf(part));
        if (Number.isInteger(attempts) && attempts >= 1) policy.push(made(part, "maxRetries", attempts - 1));
        else this.#complain(part.value.place, "Max Attempts is a whole number from 1; the first request counts.");
        return [];
      },
      Backoff: (part) => {
        const multiplier = this.#choice(part, BACKOFFS);
        if (multiplier !== null) policy.push(made(part, "backoffMultiplier", multiplier));
        return [];
      },
      "Initial Delay": (part) => {
        const seconds = this.#duration(part);
        if (seconds !== null) policy.push(made(part, "retryDelay", seconds));
        return [];
      },
      Timeout: (part) => {
        const seconds = this.#duration(part);
        return seconds === null ? [] : [made(part, "timeout", seconds)];
      },
    });
    return policy.length === 0 ? timeout : [within(member, "retryPolicy", policy), ...timeout];
  }

  #securitySettings(member: TreeMember): TreeMember[] {
    const map = this.#mapOf(member);
    if (map === null) return [];
    return this.#section(map, "Security Settings", {
      "SSL Verification": (part) => {
        // Always verified; the word is taken so that the printed form applies as it stands.
        this.#choice(part, { Required: true });
        return [];
      },
      "IP Whitelist": (part) => this.#renamed(part, "allowedIps"),
      "Rate Limit": (part) => {
        const rate = parseRate(String(textOf(part)));
        if (rate === null) {
          this.#complain(part.value.place, "Rate Limit is written like 100 requests/minute (second, minute or hour).");
          return [];
        }
        return [within(part, "rateLimit", [made(part, "limit", rate.limit), made(part, "per", rate.per)])];
      },
    });
  }

  /** Converts the members of one map, in their order; unknown names are refused. */
  #section(map: TreeMap, inside: string, parts: Readonly<Record<string, Convert>>): TreeMember[] {
    return map.members.flatMap((member) => {
      // Own members only: `constructor` is a name that somebody may write.
      const convert = Object.hasOwn(parts, member.key) ? parts[member.key] : undefined;
      if (convert !== undefined) return convert(member);
      this.#complain(member.keyPlace, unknownName(member.key, inside, Object.keys(parts)));
      return [];
    });
  }

  #mapOf(member: TreeMember): TreeMap | null {
    if (member.value.kind === "map") return member.value;
    this.#complain(member.value.place, `${member.key} is a list of names and values, indented below it.`);
    return null;
  }

  #renamed(member: TreeMember, key: string): TreeMember[] {
    return [{ ...member, key }];
  }

  /** What stands for a text stays one, though YAML takes 0123 for a number. */
  #text(member: TreeMember, key: string): TreeMember[] {
    const { value } = member;
    const isText = value.kind !== "scalar" || value.source === undefined || value.value === null;
    return [isText ? { ...member, key } : { ...member, key, value: { ...value, value: value.source } }];
  }

  #choice<Value>(member: TreeMember, values: Readonly<Record<string, Value>>): Value | null {
    const text = String(textOf(member)).toLowerCase();
    for (const [name, value] of Object.entries(values)) if (name.toLowerCase() === text) return value;
    this.#complain(member.value.place, `${member.key} can be ${Object.keys(values).join(", ")}.`);
    return null;
  }

  #duration(member: TreeMember): number | null {
    const seconds = parseDuration(String(textOf(member)));
    if (seconds === null) this.#complain(member.value.place, `${member.key} is written like 30 seconds or 5 minutes.`);
    return seconds;
  }

  #complain(place: Place, message: string): void {
    this.problems.push({ place, message });
  }
}

/** Kinds of authentication, and what each of them takes, by printed and by own name. */
const AUTH_TYPES: Readonly<Record<string, { type: string; members: Readonly<Record<string, string>> }>> = {
  None: { type: "none", members: {} },
  "API Key": { type: "apiKey", members: { Header: "header", Value: "value" } },
  Bearer: { type: "bearer", members: { Token: "token" } },
  Basic: { type: "basic", members: { Username: "username", Password: "password" } },
  "OAuth 2.0": { type: "oauth2", members: { Token: "accessToken" } },
};

/** By what each delay is multiplied; the first is 5 s unless `Initial Delay` says otherwise. */
const BACKOFFS: Readonly<Record<string, number>> = { Exponential: 2, Fixed: 1 };

function unknownName(name: string, inside: string, known: readonly string[]): string {
  const nearest = nearestNames(name, known, 2);
  const where = inside === "" ? "in the printed form" : `in ${inside}`;
  const hint = nearest.length > 0 ? `Did you mean ${nearest.join(" or ")}?` : `Known here: ${known.join(", ")}.`;
  return `There is no ${JSON.stringify(name.slice(0, 80))} ${where}. ${hint}`;
}

function textOf(member: TreeMember): unknown {
  return member.value.kind === "scalar" ? member.value.value : undefined;
}

function made(from: TreeMember, key: string, value: string | number): TreeMember {
  return { key, keyPlace: from.keyPlace, value: scalar(value, from.value.place) };
}

function within(from: TreeMember, key: string, members: readonly TreeMember[]): TreeMember {
  const value: Tree = { kind: "map", place: from.value.place, members };
  return { key, keyPlace: from.keyPlace, value };
}
