// The commands with what completes after them, taken from commander, so that no completion can differ from the help. Pure.
import type { Command } from "commander";

export interface CompletedOption {
  /** `-h` and `--help`. */
  readonly flags: readonly string[];
  readonly takesValue: boolean;
  /** Empty where any value goes. */
  readonly choices: readonly string[];
  readonly description: string;
}

export interface CompletedCommand {
  /** Names from the program's on: `posthorn webhooks show`. */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  readonly commands: readonly CompletedCommand[];
  readonly options: readonly CompletedOption[];
  /** Values of its first argument, where they are a closed list. */
  readonly choices: readonly string[];
}

export function completionTree(command: Command, above = ""): CompletedCommand {
  const path = above === "" ? command.name() : `${above} ${command.name()}`;
  const commands = command.commands.map((child) => completionTree(child, path));
  const standard = command.commands.find((child) => isDefault(command, child));
  return {
    path,
    name: command.name(),
    description: command.description(),
    commands,
    // `posthorn webhooks --status paused` means its list.
    options: [...(standard === undefined || above === "" ? [] : ownOptions(standard)), ...ownOptions(command), HELP],
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
}

const HELP: CompletedOption = { flags: ["-h", "--help"], takesValue: false, choices: [], description: "Show help." };

/** Commander keeps the name of a default command to itself, but its help marks it. */
function isDefault(command: Command, child: Command): boolean {
  const { _defaultCommandName: name } = command as unknown as { readonly _defaultCommandName?: string | null };
  return name === child.name();
}

function ownOptions(command: Command): CompletedOption[] {
  return command.options
    .filter((option) => !option.hidden)
    .map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
      takesValue: option.required,
      choices: option.argChoices ?? [],
      description: option.description,
    }));
}

/** The command and all below it. */
export function everyCommand(command: CompletedCommand): CompletedCommand[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
