// posthorn completion: prints a script that makes a shell complete commands, options and their values.
import { Argument, type Command } from "commander";
import { completionScript, type Shell, SHELLS } from "../completion/scripts.ts";
import { completionTree } from "../completion/tree.ts";
import { runs } from "../lib/run.ts";

/** @param everything the program with all commands loaded */
export function registerCompletion(program: Command, everything: () => Promise<Command>): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "for which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(posthorn completion bash)
  posthorn completion bash > ~/.local/share/bash-completion/completions/posthorn
  posthorn completion zsh > "\${fpath[1]}/_posthorn"
  posthorn completion fish > ~/.config/fish/completions/posthorn.fish
`,
    )
    .action(
      runs(async (io, _options, shell: Shell) => {
        // The script ends its last line itself.
        io.say(completionScript(shell, completionTree(await everything())).trimEnd());
      }),
    );
}
