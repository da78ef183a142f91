import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandNames, usageText } from './command-rows.js';
import { Shell } from './shell.js';

function shellWith(): { shell: Shell; take(): [out: string, error: string] } {
  let [out, error] = ['', ''];
  const shell = new Shell(
    'h:1',
    { timeoutMs: 1000, readOnly: false, waits: false, more: {} },
    {
      line: (text) => {
        out += `${text}\n`;
      },
      text: (text) => {
        out += text;
      },
      error: (text) => {
        error += `${text}\n`;
      },
    },
  );
  return {
    shell,
    take: () => {
      const taken: [string, string] = [out, error];
      [out, error] = ['', ''];
      return taken;
    },
  };
}

test('the usage lists every command of 3.9, and none of the older names', () => {
  const names =
    'addWatch addauth close config connect create delete deleteall delquota get getAcl getAllChildrenNumber getEphemerals history listquota ls printwatches quit reconfig redo removewatches set setAcl setquota stat sync version whoami';
  assert.deepEqual(commandNames(), names.split(' '));
  const lines = usageText().split('\n');
  assert.equal(lines[0], 'ZooKeeper -server host:port -client-configuration properties-file cmd args');
  assert.ok(lines.includes('\tls [-s] [-w] [-R] path'));
  assert.ok(lines.includes('\tclose '));
  assert.equal(lines.length, names.split(' ').length + 1);
});

test('commands without a connection', async () => {
  const { shell, take } = shellWith();
  assert.equal(shell.prompt, '[zk: h:1(CLOSED) 0] ');
  for (const line of ['ls /', 'create', 'close', 'version']) {
    await shell.runLine(line);
    assert.deepEqual(take(), ['Not connected\n', ''], line);
    assert.equal(shell.exitCode, 0);
  }
  assert.equal(shell.prompt, '[zk: h:1(CLOSED) 4] ');
});

test('a command that does not exist', async () => {
  const { shell, take } = shellWith();
  for (const line of ['nonsense /', 'toString', 'LS /']) {
    await shell.runLine(line);
    const name = line.split(' ')[0];
    assert.deepEqual(take(), ['', `${usageText()}\nCommand not found: Command not found ${name}\n`]);
    assert.equal(shell.exitCode, 127);
  }
  await shell.runLine('help');
  assert.deepEqual(take(), ['', `${usageText()}\n`]);
  assert.equal(shell.exitCode, 0);
});

test('history and redo', async () => {
  const { shell, take } = shellWith();
  await shell.runLine('printwatches off');
  await shell.runLine('');
  await shell.runLine('   ');
  await shell.runLine("printwatches   'on'");
  take();
  await shell.runLine('history');
  assert.equal(take()[0], "0 - printwatches off\n1 - printwatches   'on'\n2 - history\nNot connected\n");
  await shell.runLine('redo 0');
  take();
  await shell.runLine('printwatches');
  assert.equal(take()[0], 'printwatches is off\nNot connected\n');
  await shell.runLine('history');
  assert.match(take()[0], /^3 - printwatches off$/m);
  for (const [line, problem] of [
    ['redo 99', 'Command index out of range\n'],
    ['redo -1', 'Command index out of range\n'],
    ['redo x', 'Command index out of range\n'],
    ['redo 6', 'No redoing redos\n'],
  ] as const) {
    await shell.runLine(line);
    assert.deepEqual(take(), ['', problem], line);
    assert.equal(shell.exitCode, 1);
  }
  for (let i = 0; i < 20; i++) await shell.runLine('printwatches on');
  take();
  await shell.runLine('history');
  assert.equal(take()[0].trim().split('\n').length, 12);
});

test('quit keeps the exit code of the command before', async () => {
  const { shell, take } = shellWith();
  await shell.runLine('nonsense');
  await shell.runLine('quit');
  assert.equal(shell.exitCode, 127);
  assert.ok(shell.isQuitting);
  assert.equal(take()[0], '');
});
