// Whether a node can work, and if not, why not, in words for whoever looks at /readyz. Pure. Nothing about tenants and
// no address: anybody may ask.

export interface ReadinessInput {
  readonly stage: "starting" | "open" | "stopping";
  readonly configurationAgeMs: number;
  readonly isConfigurationFresh: boolean;
  /** 0 when no attempt may start. */
  readonly leaseLeftMs: number;
  /** Code of the last failure to reach the database, if it has not answered since. */
  readonly databaseProblem: string | null;
}

export interface ReadinessProblem {
  readonly part: "start" | "shutdown" | "configuration" | "lease";
  readonly message: string;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly problems: readonly ReadinessProblem[];
}

export function readinessOf(input: ReadinessInput): Readiness {
  const problems: ReadinessProblem[] = [];
  if (input.stage === "starting") {
    problems.push({ part: "start", message: "The node is starting." });
  }
  if (input.stage === "stopping") {
    problems.push({
      part: "shutdown",
      message: "The node was told to stop: it finishes what it began and takes nothing more.",
    });
  }
  if (!input.isConfigurationFresh) {
    const since = Number.isFinite(input.configurationAgeMs)
      ? `has not confirmed the configuration for ${seconds(input.configurationAgeMs)}`
      : "was never reached";
    const why = input.databaseProblem === null ? "It does not answer in time" : `Last error: ${input.databaseProblem}`;
    problems.push({
      part: "configuration",
      message: `The database ${since}. ${why}. No attempt starts meanwhile; it is asked again all the time.`,
    });
  }
  if (input.leaseLeftMs <= 0) {
    problems.push({
      part: "lease",
      message: "The node holds no lease: no beat of it reached the database in time. It joins again by itself.",
    });
  }
  return { isReady: problems.length === 0, problems };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
