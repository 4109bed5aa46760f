// Completion scripts for three shells. Static: pressing Tab runs nothing of ours. Names and choices are ours and plain;
// descriptions are quoted.
import { type CompletedCommand, everyCommand } from "./tree.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, root: CompletedCommand): string {
  switch (shell) {
    case "bash":
      return bashScript(root);
    case "zsh":
      return zshScript(root);
    case "fish":
      return fishScript(root);
    default:
      return shell satisfies never;
  }
}

const flagsOf = ({ options }: CompletedCommand): string[] => options.flatMap(({ flags }) => flags);
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const cases = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join("\n");

/** Paths that a word leads further down to, as one pattern. */
function pathPattern(root: CompletedCommand): string {
  const below = everyCommand(root).filter((command) => command !== root);
  return below.map(({ path }) => quoted(path)).join("|");
}

/** What completes after an option; nothing of ours where any value goes, so that the shell offers files. */
function valueCases(
  root: CompletedCommand,
  offer: (choices: readonly string[]) => string,
  otherwise: string,
): string[] {
  return everyCommand(root).flatMap(({ path, options }) => {
    const wanting = options.filter(({ takesValue }) => takesValue);
    const closed = wanting.filter(({ choices }) => choices.length > 0);
    const open = wanting.filter(({ choices }) => choices.length === 0);
    const patterns = (given: typeof wanting): string =>
      given.flatMap(({ flags }) => flags.map((flag) => quoted(`${path}:${flag}`))).join("|");
    return [
      ...closed.map((option) => `${patterns([option])}) ${offer(option.choices)}; return ;;`),
      ...(open.length === 0 ? [] : [`${patterns(open)}) ${otherwise} ;;`]),
    ];
  });
}

function bashScript(root: CompletedCommand): string {
  const offer = (words: readonly string[]): string => `COMPREPLY=($(compgen -W ${quoted(words.join(" "))} -- "$cur"))`;
  const ofCommand = everyCommand(root).map(
    (command) =>
      `${quoted(command.path)}) options=${quoted(flagsOf(command).join(" "))}; words=${quoted(wordsOf(command).join(" "))} ;;`,
  );
  return `# Completion of ${root.name} for bash. Load it by: source <(${root.name} completion bash)
_${root.name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" at=${root.name} options= words= i
  COMPREPLY=()
  # --state=held is three words to bash.
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev="\${COMP_WORDS[COMP_CWORD - 2]}"; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${pathPattern(root)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at:$prev" in
${cases(valueCases(root, offer, "return"))}
  esac
  case "$at" in
${cases(ofCommand)}
  esac
  if [[ $cur == -* ]]; then words=$options; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _${root.name} ${root.name}
`;
}

const wordsOf = (command: CompletedCommand): string[] => [
  ...command.commands.map(({ name }) => name),
  ...command.choices,
];

function zshScript(root: CompletedCommand): string {
  const described = (name: string, description: string): string =>
    quoted(`${name.replaceAll(":", "\\:")}:${description.replaceAll(":", "\\:")}`);
  const ofCommand = everyCommand(root).map((command) => {
    const options = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => described(flag, description)),
    );
    const words = [
      ...command.commands.map(({ name, description }) => described(name, description)),
      ...command.choices.map(quoted),
    ];
    return `${quoted(command.path)}) options=(${options.join(" ")}); commands=(${words.join(" ")}) ;;`;
  });
  return `#compdef ${root.name}
# Completion of ${root.name} for zsh. Load it by: source <(${root.name} completion zsh), after compinit
_${root.name}() {
  local at=${root.name} word
  local -a options commands
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${pathPattern(root)}) at="$at $word" ;;
    esac
  done
  case "$at:\${words[CURRENT-1]}" in
${cases(valueCases(root, (choices) => `compadd -- ${choices.map(quoted).join(" ")}`, "_files; return"))}
  esac
  case "$at" in
${cases(ofCommand)}
  esac
  if [[ $PREFIX == -* ]]; then _describe -o option options
  elif (( $#commands )); then _describe command commands
  else _files
  fi
}
if [[ "\${funcstack[1]}" == "_${root.name}" ]]; then _${root.name} "$@"; else compdef _${root.name} ${root.name}; fi
`;
}

function fishScript(root: CompletedCommand): string {
  const lines = everyCommand(root).flatMap((command) => {
    const here = fishCondition(root, command);
    const condition = `complete -c ${root.name} -n ${quoted(here)}`;
    return [
      ...command.commands.map(({ name, description }) => `${condition} -f -a ${name} -d ${quoted(description)}`),
      ...command.choices.map((choice) => `${condition} -f -a ${quoted(choice)}`),
      ...command.options.map(({ flags, takesValue, choices, description }) => {
        const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        const values = choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : takesValue ? " -r" : "";
        return `${condition} ${names.join(" ")}${values} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# Completion of ${root.name} for fish. Load it by: ${root.name} completion fish | source\n${lines.join("\n")}\n`;
}

/** True where the words so far lead to this command and no further. */
function fishCondition(root: CompletedCommand, command: CompletedCommand): string {
  if (command === root) return "__fish_use_subcommand";
  const names = command.path.split(" ").slice(1);
  const further = command.commands.map(({ name }) => name);
  const isHere = names.map((name) => `__fish_seen_subcommand_from ${name}`);
  return [...isHere, ...(further.length === 0 ? [] : [`not __fish_seen_subcommand_from ${further.join(" ")}`])].join(
    "; and ",
  );
}
