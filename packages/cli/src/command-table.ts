// The table of commands: their groups, names, one sentence each, and how to load them. Only the one that is asked for is
// loaded: a command that talks to a server must not wait 0.7 s of a processor's time for the server's own code.
import { VERSION } from "@posthorn/client";
import { Command } from "commander";

export interface CommandEntry {
  readonly name: string;
  /** What `posthorn --help` and the command's own help say. */
  readonly summary: string;
  /** Adds it, complete, to the program. `args` are those of the command line. */
  readonly load: (args: readonly string[]) => Promise<(program: Command) => void>;
}

export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandEntry[];
}

/** What `posthorn` does without a command. */
export const DEFAULT_COMMAND = "serve";

export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    title: "Server:",
    commands: [
      {
        name: "serve",
        summary: "Start a node: API, capture and delivery. Without DATABASE_URL it brings its own PostgreSQL.",
        load: async () => (await import("./commands/server.ts")).registerServe,
      },
      {
        name: "migrate",
        summary: "Bring the database's schema up to date, then end.",
        load: async () => (await import("./commands/server.ts")).registerMigrate,
      },
      {
        name: "config",
        summary: "Show the settings that serve would run with, secrets masked; checks them, starts nothing.",
        load: async () => (await import("./commands/config.ts")).registerConfig,
      },
      {
        name: "nodes",
        summary: "List the processes of the installation: who owns how much and is how far behind.",
        load: async () => (await import("./commands/nodes.ts")).registerNodes,
      },
      {
        name: "backup",
        summary: "Write everything but the master key into one file, while the server goes on.",
        load: async () => (await import("./commands/backup.ts")).registerBackup,
      },
      {
        name: "restore",
        summary: "Make an empty database into what a backup shows.",
        load: async () => (await import("./commands/restore.ts")).registerRestore,
      },
    ],
  },
  {
    title: "Events and deliveries:",
    commands: [
      {
        name: "trigger",
        summary: "Publish an event: the catalogue's example of a type, or what a file holds.",
        load: async () => (await import("./commands/trigger.ts")).registerTrigger,
      },
      {
        name: "events",
        summary: "List events, newest first; or show one with its payload and its deliveries.",
        load: async () => (await import("./commands/events.ts")).registerEvents,
      },
      {
        name: "routes",
        summary: "List routes between webhooks, show one, or write one from a file.",
        load: async () => (await import("./commands/routes.ts")).registerRoutes,
      },
      {
        name: "organisation",
        summary: "Load the branches, locations and people by which webhooks are restricted; or list them.",
        load: async () => (await import("./commands/organisation.ts")).registerOrganisation,
      },
      {
        name: "modules",
        summary: "List who sends events: last event, usual and present rate, who has fallen silent.",
        load: async () => (await import("./commands/modules.ts")).registerModules,
      },
      {
        name: "deliveries",
        summary: "List deliveries, newest first; or show one with its attempts and those to come.",
        load: async () => (await import("./commands/deliveries.ts")).registerDeliveries,
      },
      {
        name: "dead-letters",
        summary: "Show what is not tried by itself any more, in groups that say why, or one by one.",
        load: async () => (await import("./commands/dead-letters.ts")).registerDeadLetters,
      },
      {
        name: "parked-keys",
        summary: "List keys of ordered webhooks that wait for a person; retry, correct or skip what holds them.",
        load: async () => (await import("./commands/parked-keys.ts")).registerParkedKeys,
      },
      {
        name: "tail",
        summary: "Show events as they are published, or deliveries as they get on, until it is stopped.",
        load: async () => (await import("./commands/tail.ts")).registerTail,
      },
      {
        name: "retry",
        summary: "Try deliveries again now: pending, held or dead-lettered ones, with the same ids.",
        load: async () => (await import("./commands/retry.ts")).registerRetry,
      },
      {
        name: "replay",
        summary: "Deliver recorded events once more: to one webhook, or to all that match them now.",
        load: async () => (await import("./commands/replay.ts")).registerReplay,
      },
      {
        name: "replays",
        summary: "List bulk replays, show how far one has come, or cancel one.",
        load: async () => (await import("./commands/replays.ts")).registerReplays,
      },
      {
        name: "snapshot",
        summary: "Load a new system for the first time: records of a file to one webhook, behind live events.",
        load: async () => (await import("./commands/snapshot.ts")).registerSnapshot,
      },
      {
        name: "snapshots",
        summary: "List first loads, show how far one has come, or cancel one.",
        load: async () => (await import("./commands/snapshot.ts")).registerSnapshots,
      },
      {
        name: "cancel",
        summary: "Cancel deliveries that are pending or held: by id, of an event, or of a webhook.",
        load: async () => (await import("./commands/cancel.ts")).registerCancel,
      },
    ],
  },
  {
    title: "Webhooks:",
    commands: [
      {
        name: "webhooks",
        summary: "List webhooks and their logs; create, show, pause, resume, test or delete one.",
        load: async () => (await import("./commands/webhooks.ts")).registerWebhooks,
      },
      {
        name: "diagnose",
        summary: "Find out what is wrong with a webhook's receiver, step by step, and what to do about it.",
        load: async () => (await import("./commands/diagnose.ts")).registerDiagnose,
      },
      {
        name: "rules",
        summary: "List business rules; set, show or delete one, and see what it was.",
        load: async () => (await import("./commands/rules.ts")).registerRules,
      },
      {
        name: "code-tables",
        summary: "List code tables; set, show or delete one, and see what it was.",
        load: async () => (await import("./commands/rules.ts")).registerCodeTables,
      },
      {
        name: "digest",
        summary: "Show, choose and try who is told by e-mail and chat when something is wrong.",
        load: async () => (await import("./commands/digest.ts")).registerDigest,
      },
      {
        name: "apply",
        summary: "Make the webhooks of a server what files say. Without a change it does nothing.",
        load: async () => (await import("./commands/apply.ts")).registerApply,
      },
      {
        name: "export",
        summary: "Write webhooks as a file that apply takes, here or on another server.",
        load: async () => (await import("./commands/export.ts")).registerExport,
      },
      {
        name: "secret",
        summary: "Rotate the signing secret of a webhook.",
        load: async () => (await import("./commands/secret.ts")).registerSecret,
      },
      {
        name: "verify",
        summary: "Check the signature of a captured request, offline.",
        load: async () => (await import("./commands/verify.ts")).registerVerify,
      },
    ],
  },
  {
    title: "Receivers:",
    commands: [
      {
        name: "receive",
        summary: "A receiver on this machine: shows what comes, verifies it, fails on demand.",
        load: async () => (await import("./commands/receive.ts")).registerReceive,
      },
      {
        name: "listen",
        summary: "Bring a webhook's deliveries to a local URL, without a port open to the world.",
        load: async () => (await import("./commands/listen.ts")).registerListen,
      },
    ],
  },
  {
    title: "Access:",
    commands: [
      {
        name: "keys",
        summary: "List, make, show, revoke and recover API keys.",
        load: loadKeys,
      },
    ],
  },
  {
    title: "Shell:",
    commands: [
      {
        name: "completion",
        summary: "Print a script that completes commands and options in bash, zsh or fish.",
        load: loadCompletion,
      },
    ],
  },
];

/** The only one that needs all of them. */
async function loadCompletion(): Promise<(program: Command) => void> {
  const { registerCompletion } = await import("./commands/completion.ts");
  return (program) =>
    registerCompletion(program, async () => {
      const everything = new Command("posthorn").version(VERSION);
      for (const { name, summary, load } of COMMAND_GROUPS.flatMap(({ commands }) => commands)) {
        // With its recovery, which is loaded only when it is asked for.
        if (name === "completion") registerCompletion(everything, async () => everything);
        else (await load(["recover"]))(everything);
        everything.commands.at(-1)?.description(summary);
      }
      return everything;
    });
}

/** Only `keys recover` opens the database itself, and so only it needs the server's code. */
async function loadKeys(args: readonly string[]): Promise<(program: Command) => void> {
  const { registerKeys } = await import("./commands/keys.ts");
  if (!args.includes("recover")) return registerKeys;
  const { registerRecover } = await import("./commands/keys-recover.ts");
  return (program) => {
    registerKeys(program);
    const recover = program.commands.at(-1)?.commands.find((command) => command.name() === "recover");
    if (recover !== undefined) registerRecover(recover);
  };
}
