/** A step in one line, for people who read a reproduction. */
import { WireReader } from '../wire/bytes.js';
import { Op, opName } from '../wire/records.js';
import type { RequestStep, Step } from './steps.js';

function describeRequest({ xid, type, body, zxidDelta }: RequestStep): string {
  const path = type === Op.multi || type === Op.multiRead ? null : firstString(body);
  const delta = zxidDelta === undefined ? '' : ` zxid=last${zxidDelta >= 0 ? '+' : ''}${zxidDelta}`;
  const hex = body.length > 300 ? `${body.toString('hex', 0, 300)}… (${body.length} bytes)` : body.toString('hex');
  return `${opName(type)}${path === null ? '' : ` ${JSON.stringify(path)}`}${delta} xid=${xid} ${hex}`;
}

function firstString(body: Buffer): string | null {
  try {
    return new WireReader(body).string();
  } catch {
    return null;
  }
}

export function describeStep(step: Step): string {
  const slot = step.kind === 'settle' ? '' : `[${step.slot}] `;
  if (step.kind === 'burst') return `${slot}${step.requests.map(describeRequest).join(`\n      ${slot}`)}`;
  if (step.kind === 'raw') return `${slot}raw${step.fresh ? ' on a new connection' : ''} ${step.bytes.toString('hex')}`;
  if (step.kind !== 'open') return `${slot}${step.kind}`;
  const { timeoutMs, session, password, zxidDelta, readOnly } = step;
  return `${slot}open timeout=${timeoutMs} session=${session} password=${password} zxid=${zxidDelta} readOnly=${readOnly}`;
}
