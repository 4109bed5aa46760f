// Whether an event lies in a webhook's scope: which company, branch or location it is of, who did it, from where it came.
// Asked for every candidate that has a scope, so what an event says is read once, from its bytes, and never parsed.
import { readPathText } from "../lib/json/read-path.ts";
import type { Organisation, ScopeSetting } from "../storage/organisation.ts";

/** What is asked of an event. */
export interface ScopedEvent {
  readonly data: Uint8Array;
  readonly context: Uint8Array | null;
}

/** Why an event is outside, in words for an administrator. */
export interface OutOfScope {
  /** The member of the scope that it does not meet. */
  readonly part: "companies" | "branches" | "locations" | "actors" | "sources";
  readonly reason: string;
}

/** What an event says of itself, each read when it is first asked for. */
export class EventFacts {
  readonly #data: Buffer;
  readonly #contextBytes: Buffer | null;
  readonly #read = new Map<string, string | null>();

  constructor({ data, context }: ScopedEvent) {
    this.#data = bufferOf(data);
    this.#contextBytes = context === null ? null : bufferOf(context);
  }

  get companyId(): string | null {
    return this.#place("company");
  }

  get branchId(): string | null {
    return this.#place("branch");
  }

  get locationId(): string | null {
    return this.#place("location");
  }

  get userId(): string | null {
    return this.#context("userId");
  }

  get employeeId(): string | null {
    return this.#context("employeeId");
  }

  get source(): string | null {
    return this.#context("source");
  }

  /** The context says it, or else the object: `branchId`, or a `branch` with an `id`. */
  #place(name: "company" | "branch" | "location"): string | null {
    return (
      this.#context(`${name}Id`) ?? this.#text(["object", `${name}Id`]) ?? this.#text(["object", name, "id"]) ?? null
    );
  }

  #context(name: string): string | null {
    const context = this.#contextBytes;
    if (context === null) return null;
    return this.#remembered(`context.${name}`, () => readPathText(context, 0, context.length, [name]));
  }

  #text(path: readonly string[]): string | null {
    const data = this.#data;
    return this.#remembered(path.join("."), () => readPathText(data, 0, data.length, path));
  }

  #remembered(key: string, read: () => string | null): string | null {
    let text = this.#read.get(key);
    if (text === undefined) {
      text = read();
      this.#read.set(key, text);
    }
    return text;
  }
}

/** Null when the event lies in the scope; else the first member of it that it does not meet. */
export function outOfScope(scope: ScopeSetting, facts: EventFacts, organisation: Organisation): OutOfScope | null {
  return (
    outsideCompanies(scope, facts, organisation) ??
    outsidePlaces(scope, facts, organisation) ??
    outsideActors(scope, facts, organisation) ??
    outsideSources(scope, facts)
  );
}

function outsideCompanies({ companies }: ScopeSetting, facts: EventFacts, organisation: Organisation) {
  if (companies === undefined) return null;
  const companyId = facts.companyId ?? companyOf(branchOf(facts, organisation), organisation);
  if (companyId === null)
    return outside("companies", `It names no company, and only ${some(companies)} may be heard of.`);
  if (companies.includes(companyId)) return null;
  return outside("companies", `It is of the company ${shown(companyId)}, not of ${some(companies)}.`);
}

/** A branch includes its locations, so branches and locations are one list of places. */
function outsidePlaces({ branches, locations }: ScopeSetting, facts: EventFacts, organisation: Organisation) {
  if (branches === undefined && locations === undefined) return null;
  const part = branches === undefined ? "locations" : "branches";
  const wanted = some([...(branches ?? []), ...(locations ?? [])]);
  const { locationId } = facts;
  if (locationId !== null && locations?.includes(locationId)) return null;
  const branchId = branchOf(facts, organisation);
  if (branchId !== null && branches?.includes(branchId)) return null;
  if (branchId === null && locationId === null) {
    return outside(part, `It names no branch and no location, and only ${wanted} may be heard of.`);
  }
  if (branchId === null) {
    const why = `The location ${shown(locationId as string)} is in no branch that the organisation knows`;
    return outside(part, `${why}, and it is not ${wanted}.`);
  }
  const place = locationId === null ? "" : ` (location ${shown(locationId)})`;
  return outside(part, `It is of the branch ${shown(branchId)}${place}, not of ${wanted}.`);
}

/** Any of the lists is enough: a user, or everybody of a team. */
function outsideActors({ actors }: ScopeSetting, facts: EventFacts, organisation: Organisation) {
  if (actors === undefined) return null;
  const { userId, employeeId } = facts;
  const wanted = some(Object.values(actors).flat());
  if (userId === null && employeeId === null) {
    return outside("actors", `It names nobody who did it, and only what ${wanted} did may be heard of.`);
  }
  if (userId !== null && actors.users?.includes(userId)) return null;
  if (employeeId !== null && actors.employees?.includes(employeeId)) return null;
  const who = userId === null ? `The employee ${shown(employeeId as string)}` : `The user ${shown(userId)}`;
  const person = organisation.person(userId, employeeId);
  if (person === null) {
    const why = `${who} is not known in the organisation, so is in no team and no department`;
    return outside("actors", `${why}, and is not ${wanted}.`);
  }
  if (person.employeeId !== null && actors.employees?.includes(person.employeeId)) return null;
  if (actors.departments?.some((each) => person.departments.has(each))) return null;
  if (actors.teams?.some((each) => person.teams.has(each))) return null;
  const memberships = [...person.departments, ...person.teams];
  const known = memberships.length === 0 ? "in no department and no team" : `in ${some(memberships)}`;
  return outside("actors", `${who} is ${known}, and is not of ${wanted}.`);
}

function outsideSources({ sources }: ScopeSetting, { source }: EventFacts) {
  if (sources === undefined) return null;
  if (source === null) return outside("sources", `It names no source, and only ${some(sources)} may be heard.`);
  if (sources.includes(source)) return null;
  return outside("sources", `It came from ${shown(source)}, not from ${some(sources)}.`);
}

function branchOf({ branchId, locationId }: EventFacts, organisation: Organisation): string | null {
  return branchId ?? (locationId === null ? null : organisation.branchOfLocation(locationId));
}

function companyOf(branchId: string | null, organisation: Organisation): string | null {
  return branchId === null ? null : organisation.companyOfBranch(branchId);
}

function outside(part: OutOfScope["part"], reason: string): OutOfScope {
  return { part, reason };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const SHOWN = 3;
const SHOWN_LENGTH = 64;

function some(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return `${names.slice(0, SHOWN).map(shown).join(", ")}${more > 0 ? ` or ${more} more` : ""}`;
}

function shown(name: string): string {
  return name.length <= SHOWN_LENGTH ? name : `${name.slice(0, SHOWN_LENGTH)}…`;
}
