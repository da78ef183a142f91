/**
 * `zoots cli` and bin/zkCli.sh: the command line client, with the commands, outputs and exit codes of Apache's zkCli.
 *
 *   zkCli.sh [-server h1:2181,h2:2181/chroot] [-timeout ms] [-r] [-waitforconnection] [-client-configuration FILE] [command …]
 *
 * With a command it runs that and ends with its exit code; else it reads lines, from a terminal or from a pipe.
 * Most of the program is loaded while the connection is being made, and the terminal's part only for a terminal.
 */
import { connectionSettings, parseArguments } from '../zkcli/arguments.js';
import { CliError } from '../zkcli/errors.js';
import { endWithReader, pipeOutput, runLines } from '../zkcli/pipe.js';
import { Shell } from '../zkcli/shell.js';

const helpText = `Usage: zoots cli [options] [command …]

  -server HOSTS    servers and chroot, as in h1:2181,h2:2181/app (localhost:2181)
  -timeout MS      session timeout (30000)
  -r               accept a read-only server
  -waitforconnection   connect first, or fail when the timeout is over
  -client-configuration FILE   properties of Apache's client: TLS, request timeout

Without a command it is a shell; type help for its commands, quit to leave.`;

export async function run(words: readonly string[]): Promise<number> {
  if (words[0] === '--help') {
    console.log(helpText);
    return 0;
  }
  const found = parseArguments(words);
  if (found.problem !== null) console.error(found.problem);
  endWithReader();
  console.log(`Connecting to ${found.server}`);
  try {
    const settings = await connectionSettings(found);
    if (found.command.length === 0 && process.stdin.isTTY && process.stdout.isTTY) {
      const { runTerminal } = await import('../zkcli/terminal.js');
      return await runTerminal(found.server, settings);
    }
    const shell = new Shell(found.server, settings, pipeOutput);
    await shell.connect(found.server);
    if (found.command.length > 0) await shell.run(found.command);
    else await runLines(shell);
    await shell.end();
    return shell.exitCode;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    console.error(error.message);
    return error.exitCode;
  }
}
