// Who and where, as routing asks for it: the branches, locations and people of a tenant in memory. Changed in place by the
// configuration that holds it, in the turn in which its version rises; must never be changed by anybody else.

export const ORGANISATION_KINDS = ["company", "branch", "location", "employee", "user"] as const;
export type OrganisationKind = (typeof ORGANISATION_KINDS)[number];

/** A part of the organisation; what is left out restricts nothing. */
export interface ScopeSetting {
  readonly companies?: readonly string[];
  readonly branches?: readonly string[];
  readonly locations?: readonly string[];
  readonly actors?: {
    readonly users?: readonly string[];
    readonly employees?: readonly string[];
    readonly departments?: readonly string[];
    readonly teams?: readonly string[];
  };
  readonly sources?: readonly string[];
}

export interface OrganisationEntry {
  readonly kind: OrganisationKind;
  readonly id: string;
  readonly isRemoved: boolean;
  /** Company of a branch, branch of a location, employee who is a user. */
  readonly parentId: string | null;
  readonly departments: readonly string[];
  readonly teams: readonly string[];
}

/** What is known of whoever did something. */
export interface Person {
  readonly employeeId: string | null;
  readonly departments: ReadonlySet<string>;
  readonly teams: ReadonlySet<string>;
}

export class Organisation {
  readonly #branches = new Map<string, OrganisationEntry>();
  readonly #locations = new Map<string, OrganisationEntry>();
  readonly #employees = new Map<string, OrganisationEntry>();
  readonly #users = new Map<string, OrganisationEntry>();
  /** People who were asked for; gone whenever one of them changes. */
  readonly #people = new Map<string, Person>();

  constructor(entries: Iterable<OrganisationEntry> = []) {
    for (const entry of entries) this.put(entry);
  }

  /** What one of them is from now on. */
  put(entry: OrganisationEntry): void {
    const entries = this.#entriesOf(entry.kind);
    if (entries === null) return;
    if (entry.isRemoved) entries.delete(entry.id);
    else entries.set(entry.id, entry);
    if (entry.kind === "employee" || entry.kind === "user") this.#people.clear();
  }

  branchOfLocation(locationId: string): string | null {
    return this.#locations.get(locationId)?.parentId ?? null;
  }

  companyOfBranch(branchId: string): string | null {
    return this.#branches.get(branchId)?.parentId ?? null;
  }

  /** Null when neither the user nor the employee is known. */
  person(userId: string | null, employeeId: string | null): Person | null {
    const user = userId === null ? undefined : this.#users.get(userId);
    const employee = this.#employees.get(employeeId ?? user?.parentId ?? "");
    if (user === undefined && employee === undefined) return null;
    const key = JSON.stringify([user?.id, employee?.id]);
    const present = this.#people.get(key);
    if (present !== undefined) return present;
    const person: Person = {
      employeeId: employee?.id ?? user?.parentId ?? null,
      departments: new Set([...(user?.departments ?? []), ...(employee?.departments ?? [])]),
      teams: new Set([...(user?.teams ?? []), ...(employee?.teams ?? [])]),
    };
    this.#people.set(key, person);
    return person;
  }

  #entriesOf(kind: OrganisationKind): Map<string, OrganisationEntry> | null {
    switch (kind) {
      case "company":
        return null;
      case "branch":
        return this.#branches;
      case "location":
        return this.#locations;
      case "employee":
        return this.#employees;
      case "user":
        return this.#users;
      default:
        return kind satisfies never;
    }
  }
}
