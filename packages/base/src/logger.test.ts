import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logLevelOf, logLevelOff, logLevels, nullLogger, RecordingLogger } from './logger.js';

test('level names in any case, and nothing else', () => {
  assert.equal(logLevelOf('INFO'), logLevels.info);
  assert.equal(logLevelOf('off'), logLevelOff);
  assert.equal(logLevelOf('toString'), undefined);
  assert.equal(logLevelOf(''), undefined);
});

test('the recording logger keeps what is at its level or above', () => {
  const logger = new RecordingLogger(logLevels.info);
  logger.log(logLevels.debug, 'too fine');
  logger.log(logLevels.info, 'session expired', { sessionId: '0x1', timeoutMs: 4000 });
  logger.log(logLevels.error, 'sync failed');
  assert.deepEqual(logger.events(), ['session expired', 'sync failed']);
  assert.deepEqual(logger.records[0]?.fields, { sessionId: '0x1', timeoutMs: 4000 });
  assert.deepEqual(
    logger.atLeast(logLevels.error).map((record) => record.event),
    ['sync failed'],
  );
});

test('the null logger gates every level', () => {
  assert.ok(nullLogger.level > logLevels.fatal);
});
