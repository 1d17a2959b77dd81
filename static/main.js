/** The page: from the click on Start to the verdict. */

import { Attempt } from './attempt.js';
import { listCameras } from './camera.js';
import { loadIcons } from './icons.js';
import { Machine } from './machine.js';
import { Problem } from './problem.js';
import { Prompter } from './prompter.js';
import { Ring } from './ring.js';
import { forgetLink, readSession, sessionFromLink } from './session.js';
import { leaveSummary } from './summary.js';
import { element, fillWords, countDown, showCameras, showProblem, showResult, showView } from './view.js';
import { keepOpen } from './words.js';

const SUCCESS_PAGE = '/success';
/** Long enough to see that the last step has passed. */
const FAREWELL_MS = 700;
// The other phases keep the view they have, or fill theirs with what led to them.
/** @type {Partial<Record<import('./machine.js').Phase, string>>} */
const VIEWS = { start: 'start', opening: 'opening', connecting: 'check' };

const video = /** @type {HTMLVideoElement} */ (element('video'));
const prompter = new Prompter(
  {
    stage: element('stage'),
    prompt: element('prompt'),
    hint: element('hint'),
    steps: element('steps'),
    dots: element('dots'),
    count: element('count'),
  },
  new Ring(element('stage'), video),
);
const machine = new Machine((phase) => {
  document.body.dataset.phase = phase;
  const view = VIEWS[phase];
  if (view) showView(view);
});

/** @type {Attempt | null} */
let attempt = null;
let stopCounting = () => {};

async function start() {
  if (attempt) return; // a second click on the way
  stopCounting();
  prompter.reset();
  machine.go('opening');
  const current = new Attempt(sessionFromLink(), { camera: preview, state: show });
  attempt = current;
  try {
    const verdict = await current.run();
    if (verdict) finish(verdict, current.session?.fromLink ?? false);
    else machine.go('start');
  } catch (error) {
    fail(Problem.of(error));
  } finally {
    attempt = null;
    video.srcObject = null;
  }
}

/** @param {MediaStream} stream */
async function preview(stream) {
  video.srcObject = stream;
  if (machine.phase === 'opening') machine.go('connecting');
  const { deviceId } = stream.getVideoTracks()[0].getSettings();
  showCameras(await listCameras(), deviceId);
}

/** @param {import('./channel.js').State} state */
function show(state) {
  if (machine.phase === 'connecting') machine.go('checking');
  prompter.show(state);
}

/**
 * @param {import('./session.js').Verdict} verdict
 * @param {boolean} fromLink
 */
function finish(verdict, fromLink) {
  if (fromLink) forgetLink();
  if (verdict.verdict === 'live' && leaveSummary(verdict)) {
    machine.go('passed');
    prompter.finish();
    setTimeout(() => location.assign(SUCCESS_PAGE), FAREWELL_MS);
  } else {
    machine.go('result');
    showResult(verdict, fromLink);
  }
}

/** @param {Problem} problem */
function fail(problem) {
  machine.go('problem');
  showProblem(problem);
  stopCounting = problem.retryAfter === undefined ? () => {} : countDown(problem.retryAfter);
}

/** What the button under a problem does. */
function retry() {
  const { code } = element('problem').dataset;
  if (code === 'insecure') location.protocol = 'https:';
  else if (code === 'link_used') forgetLink();
  if (code !== 'insecure') void start();
}

/** Say before the click what would fail after it. */
async function lookAhead() {
  if (!globalThis.isSecureContext) return fail(new Problem('insecure'));
  const session = sessionFromLink();
  if (!session) return undefined;
  try {
    const { status } = await readSession(session);
    if (status !== 'created' && machine.phase === 'start') fail(new Problem('link_used'));
  } catch (error) {
    if (machine.phase === 'start') fail(Problem.of(error));
  }
  return undefined;
}

/** A new link in the same tab, or a page that comes back from the browser's cache. */
function begin() {
  if (attempt) return;
  stopCounting();
  if (machine.phase !== 'start') machine.go('start');
  void lookAhead();
}

void loadIcons();
fillWords();
showView('start', { focus: false });
element('start-button').addEventListener('click', start);
element('problem-action').addEventListener('click', retry);
element('result-action').addEventListener('click', start);
element('cancel').addEventListener('click', () => attempt?.cancel());
element('camera').addEventListener('change', ({ target }) => {
  void attempt?.switchCamera(/** @type {HTMLSelectElement} */ (target).value);
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && machine.phase === 'checking') prompter.note(keepOpen);
});
navigator.mediaDevices?.addEventListener('devicechange', async () => {
  const [track] = /** @type {MediaStream | null} */ (video.srcObject)?.getVideoTracks() ?? [];
  if (track) showCameras(await listCameras(), track.getSettings().deviceId);
});
addEventListener('hashchange', begin);
addEventListener('pageshow', ({ persisted }) => { if (persisted) begin(); });
addEventListener('pagehide', () => attempt?.cancel());
void lookAhead();
