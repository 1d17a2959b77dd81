/**
 * Sessions: from the link that brought the person here, or a new one.
 *
 * @typedef {{id: string, token: string, whipUrl: string, given: boolean}} Session
 *   `given`: a relying party made it, and not this page
 * @typedef {{status: string, verdict: Verdict | null, success_url?: string, failure_url?: string}} About
 * @typedef {{challenge: import('./words.js').Challenge, passed: boolean, seconds: number}} Step
 * @typedef {{verdict: 'live' | 'spoof' | 'incomplete', reasons: string[], challenges: Step[],
 *   spoof_score: number | null, faces_compared: boolean, frames: number, frame_rate: number,
 *   finished_at: string}} Verdict
 */

import { Problem } from './problem.js';

const SESSIONS = 'api/sessions';
const WHIP = 'whip';
const PAGE = 'api/page';
/** Where this module comes from: the page around it may be of another server. */
export const SERVER = new URL('..', import.meta.url);
/** A server that has not answered by then is not going to while somebody waits. */
const ANSWER_TIMEOUT_MS = 10_000;

/** @typedef {import('./problem.js').ProblemCode} ProblemCode */
/** @type {Record<number, ProblemCode>} refusals of a session that was used, ended or forgotten */
const SPENT = { 401: 'link_used', 403: 'link_used', 404: 'link_used', 409: 'link_used', 410: 'link_used' };
/** @type {Record<number, ProblemCode>} refusals for now */
const BUSY = { 429: 'too_often', 503: 'full' };
/** @type {Record<number, ProblemCode>} refusals of a server that makes sessions for its own clients */
const CLOSED = { 401: 'link_needed', 403: 'link_needed' };

/**
 * The session that the address carries as `#session=ID&token=TOKEN`. A fragment never leaves the
 * browser.
 *
 * @returns {Session | null}
 */
export function sessionFromLink() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const [id, token] = [fragment.get('session'), fragment.get('token')];
  return id && token ? givenSession(id, token) : null;
}

/**
 * @param {string} id
 * @param {string} token
 * @returns {Session}
 */
export function givenSession(id, token) {
  return { id, token, whipUrl: WHIP, given: true };
}

/**
 * What the page has to know about its server; the defaults where that does not say.
 *
 * @returns {Promise<{needsLink: boolean, frameOrigins: string[], keepsPictures: boolean | null}>}
 */
export async function readServer() {
  try {
    const about = await (await accepted(await request(PAGE, {}))).json();
    return {
      needsLink: about.needs_link,
      frameOrigins: about.frame_origins,
      keepsPictures: about.keeps_pictures,
    };
  } catch {
    // Whatever comes next will tell why.
    return { needsLink: false, frameOrigins: [], keepsPictures: null };
  }
}

/**
 * The address to which a person is sent back, told which session it is about. No more than that:
 * what came of it, the relying party asks the server.
 *
 * @param {string} link
 * @param {string} id of the session
 * @returns {string}
 */
export function wayBack(link, id) {
  const url = new URL(link);
  url.search += `${url.search ? '&' : '?'}session=${encodeURIComponent(id)}`;
  return url.href;
}

/** Take a link's session out of the address once it has had its verdict. */
export function forgetLink() {
  if (location.hash) history.replaceState(null, '', location.pathname);
}

/**
 * @returns {Promise<Session>}
 * @throws {Problem}
 */
export async function createSession() {
  const response = await request(SESSIONS, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  });
  const body = await (await accepted(response, CLOSED)).json();
  return { id: body.id, token: body.token, whipUrl: body.whip_url, given: false };
}

/**
 * What the server knows about a session.
 *
 * @param {Session} session
 * @returns {Promise<About>}
 * @throws {Problem} `link_used` where it knows none (any more)
 */
export async function readSession(session) {
  const response = await request(`${SESSIONS}/${encodeURIComponent(session.id)}`, {
    headers: { Authorization: `Bearer ${session.token}` },
  });
  return (await accepted(response)).json();
}

/**
 * `fetch` whose failures are problems that have words.
 *
 * @param {string | URL} url on the server
 * @param {RequestInit} options
 * @returns {Promise<Response>}
 * @throws {Problem}
 */
export async function request(url, options) {
  try {
    return await fetch(new URL(url, SERVER), { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), ...options });
  } catch (cause) {
    throw new Problem('unreachable', { cause });
  }
}

/**
 * The response if it is a good one.
 *
 * @param {Response} response
 * @param {Record<number, ProblemCode>} [refusals] what a status means here
 * @returns {Promise<Response>}
 * @throws {Problem}
 */
export async function accepted(response, refusals = SPENT) {
  if (response.ok) return response;
  const cause = new Error(`${response.status} ${await response.text()}`);
  const busy = BUSY[response.status];
  if (busy) throw new Problem(busy, { cause, retryAfter: retryAfter(response) });
  throw new Problem(refusals[response.status] ?? 'server', { cause });
}

/**
 * Seconds to wait, from either form of the header (RFC 9110, section 10.2.3).
 *
 * @param {Response} response
 * @returns {number | undefined}
 */
function retryAfter(response) {
  const header = response.headers.get('Retry-After');
  if (!header) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}
