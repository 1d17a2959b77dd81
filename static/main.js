/** The page: from the click on Start to the verdict, and back to whoever sent the person. */

import { Check, FAREWELL_MS } from './check.js';
import { loadIcons } from './icons.js';
import { Machine } from './machine.js';
import { framed, Parent } from './parent.js';
import { Problem } from './problem.js';
import { forgetLink, readServer, readSession, sessionFromLink, wayBack } from './session.js';
import { leaveSummary } from './summary.js';
import { countDown, element, fillWords, showKept, showProblem, showResult, showView } from './view.js';
import * as words from './words.js';

const SUCCESS_PAGE = '/success';
/** Long enough to read why the check was not passed, before the person is sent back. */
const READING_SECONDS = 12;
// The other phases keep the view they have, or fill theirs with what led to them.
/** @type {Partial<Record<import('./machine.js').Phase, string>>} */
const VIEWS = { start: 'start', opening: 'opening', connecting: 'check' };

/** @type {import('./machine.js').Phase[]} */
const STARTS = ['start', 'result', 'problem'];

/** @typedef {{label: string, go: () => void}} Way what a button says and does */

const machine = new Machine((phase) => {
  document.body.dataset.phase = phase;
  const view = VIEWS[phase];
  if (view) showView(view);
});
const check = new Check(element('check'), {
  opened() { if (machine.phase === 'opening') machine.go('connecting'); },
  state(state) {
    if (machine.phase === 'connecting') machine.go('checking');
    const { step, steps, challenge, progress, hint } = state;
    tell('state', { step, steps, challenge, progress, hint });
  },
});

/** @type {Awaited<ReturnType<typeof readServer>>} */
let server = { needsLink: false, frameOrigins: [], keepsPictures: null };
/** @type {Parent | null} */
let parent = null;
/** @type {import('./session.js').Session | null} */
let session = null;
/** @type {import('./session.js').About | null} what the server knows of the link's session */
let about = null;
let spent = false;
let stopCounting = () => {};
/** @type {Way | null} */
let way = null;

async function start() {
  if (!STARTS.includes(machine.phase)) return; // a second click on the way
  stopCounting();
  machine.go('opening');
  session = sessionFromLink();
  try {
    if (session && spent) await expectUnused(session);
    spent = true;
    const verdict = await check.run(session);
    if (verdict) {
      await finish(verdict);
    } else {
      machine.go('start');
      tell('cancelled');
    }
  } catch (error) {
    fail(Problem.of(error));
  }
}

/** @param {import('./session.js').Verdict} verdict */
async function finish(verdict) {
  if (session) {
    forgetLink();
    about ??= await readSession(session).catch(() => null);
  }
  const live = verdict.verdict === 'live';
  const back = linkBack(live);
  tell('verdict', { verdict: verdict.verdict, reasons: verdict.reasons, challenges: verdict.challenges });
  if (live && !framed && (back || leaveSummary(verdict))) {
    machine.go('passed');
    check.finish();
    setTimeout(() => (back ? leave(back) : location.assign(SUCCESS_PAGE)), FAREWELL_MS);
    return;
  }
  machine.go('result');
  way = live ? null : wayOn(back, { label: words.labels.again, go: start });
  showResult(verdict, way?.label ?? '', !live && session && !back && !framed ? words.linkSpent : '');
  if (!live && back) {
    const text = (/** @type {number} */ left) => words.backIn(new URL(back).host, left);
    stopCounting = countDown(element('result-note'), READING_SECONDS, text, () => leave(back));
  }
}

/** @param {Problem} problem */
function fail(problem) {
  machine.go('problem');
  tell('error', { code: problem.code });
  way = wayOut(problem.code);
  showProblem(problem, way?.label ?? '');
  const text = problem.code === 'full' ? words.placeIn : words.againIn;
  stopCounting = problem.retryAfter === undefined
    ? () => {} : countDown(element('problem-wait'), problem.retryAfter, text);
}

/**
 * @param {import('./problem.js').ProblemCode} code
 * @returns {Way | null}
 */
function wayOut(code) {
  const label = words.problems[code].action ?? words.labels.again;
  if (code === 'insecure') return { label, go: () => { location.protocol = 'https:'; } };
  if (code === 'link_needed') return null;
  if (code !== 'link_used') return { label, go: start };
  return wayOn(linkBack(about?.verdict?.verdict === 'live'), {
    label,
    go: () => { forgetLink(); void start(); },
  });
}

/**
 * Where a person goes on whose session is over: only who asked for it can give them another.
 *
 * @param {string | undefined} back
 * @param {Way} again a new session, on a server that makes them for everybody
 * @returns {Way | null}
 */
function wayOn(back, again) {
  if (framed) return null; // the page around this one was told, and goes on
  if (back) return { label: words.goBack(new URL(back).host), go: () => leave(back) };
  return server.needsLink ? null : again;
}

/** @param {boolean} live */
function linkBack(live) {
  return session ? about?.[live ? 'success_url' : 'failure_url'] : undefined;
}

/** @param {string} link */
function leave(link) {
  // In place of this page: its link is used up, and nobody need come back to it.
  location.replace(wayBack(link, session?.id ?? ''));
}

/**
 * @param {import('./parent.js').Told} type
 * @param {object} [details]
 */
function tell(type, details = {}) {
  parent?.tell(type, { session: session?.id ?? null, ...details });
}

/** @param {import('./session.js').Session} given */
async function expectUnused(given) {
  about = await readSession(given);
  if (about.status !== 'created') throw new Problem('link_used');
}

/** Say before the click what would fail after it. */
async function lookAhead() {
  session = sessionFromLink();
  [about, spent] = [null, false];
  if (!globalThis.isSecureContext) return fail(new Problem('insecure'));
  try {
    if (session) await expectUnused(session);
    else if (server.needsLink) throw new Problem('link_needed');
    if (machine.phase === 'start') tell('ready');
  } catch (error) {
    if (machine.phase === 'start') fail(Problem.of(error));
  }
  return undefined;
}

/** A new link in the same tab, or a page that comes back from the browser's cache. */
function begin() {
  if (check.running) return;
  stopCounting();
  if (machine.phase !== 'start') machine.go('start');
  void lookAhead();
}

void loadIcons();
document.documentElement.lang = words.language;
document.documentElement.classList.toggle('framed', framed);
fillWords();
showView('start', { focus: false });
element('start-button').addEventListener('click', start);
for (const view of ['problem', 'result']) {
  element(`${view}-action`).addEventListener('click', () => {
    stopCounting();
    way?.go();
  });
}
addEventListener('hashchange', begin);
addEventListener('pageshow', ({ persisted }) => { if (persisted) begin(); });
server = await readServer();
showKept(server.keepsPictures);
if (framed) {
  parent = new Parent([location.origin, ...server.frameOrigins]);
  parent.listen({ start, cancel: () => check.cancel() });
}
void lookAhead();
