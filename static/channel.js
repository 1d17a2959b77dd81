/**
 * The data channel, version 1: what the server tells, and the watch over its silence.
 *
 * @typedef {{type: 'state', frame: number, time: number, step: number, steps: number,
 *   challenge: import('./words.js').Challenge, progress: number,
 *   hint: import('./words.js').Hint | null,
 *   face: {x: number, y: number, width: number, height: number} | null,
 *   faces: number, spoof_score: number | null}} State
 * @typedef {{
 *   state: (state: State) => void,
 *   verdict: (verdict: import('./session.js').Verdict) => void,
 *   problem: (problem: Problem) => void,
 * }} Listeners
 */

import { Problem } from './problem.js';

const PING_INTERVAL_MS = 5000;
/** The server speaks at least twice a second while it sees a video: after this, it is asked. */
const QUIET_MS = 1000;
/** Neither a word nor an answer: the connection is lost. */
const PATIENCE_MS = 3000;
/** When the browser says that the network is gone, less silence is enough. */
const OFFLINE_PATIENCE_MS = 1500;
/** It answers but sees no video. Its verdict about that comes within 5 s. */
const STATE_PATIENCE_MS = 8000;
/** From its answer to the first state; the server itself gives up sooner. */
const CONNECTING_PATIENCE_MS = 7000;
const WATCH_INTERVAL_MS = 250;

/**
 * Listen to the channel until the verdict or a problem; exactly one of the two is told, once.
 *
 * @param {RTCPeerConnection} peer
 * @param {RTCDataChannel} channel
 * @param {Listeners} listeners
 * @returns {() => void} ends the listening
 */
export function listen(peer, channel, listeners) {
  const end = new AbortController();
  const { signal } = end;
  const finish = (/** @type {() => void} */ tell) => {
    if (signal.aborted) return;
    end.abort();
    tell();
  };
  const watch = new Watch(peer, channel, (code) => finish(() => listeners.problem(new Problem(code))));
  watch.until(signal);
  channel.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data);
    watch.heard(message.type);
    if (message.type === 'state') listeners.state(message);
    else if (message.type === 'verdict') finish(() => listeners.verdict(message));
    else if (message.type === 'error') watch.fail('server');
  }, { signal });
  return () => end.abort();
}

/** Notices when the other side is gone. */
class Watch {
  #running = false;
  #heard = performance.now();
  #seen = performance.now();
  #pinged = performance.now();

  /**
   * @param {RTCPeerConnection} peer
   * @param {RTCDataChannel} channel
   * @param {(code: import('./problem.js').ProblemCode) => void} fail
   */
  constructor(peer, channel, fail) {
    this.peer = peer;
    this.channel = channel;
    this.fail = fail;
  }

  /** @param {AbortSignal} signal ends the watch */
  until(signal) {
    const { peer, channel } = this;
    const again = () => { this.#heard = this.#seen = performance.now(); };
    channel.addEventListener('close', () => this.fail('lost'), { signal });
    peer.addEventListener('signalingstatechange', again, { signal }); // answered: now it counts
    document.addEventListener('visibilitychange', again, { signal }); // it slept: that says nothing
    peer.addEventListener('connectionstatechange', () => {
      if (peer.connectionState === 'failed') this.fail(this.#running ? 'lost' : 'not_connected');
    }, { signal });
    const timers = [
      setInterval(() => this.#look(), WATCH_INTERVAL_MS),
      setInterval(() => this.#ping(), PING_INTERVAL_MS),
    ];
    signal.addEventListener('abort', () => timers.forEach((timer) => clearInterval(timer)));
  }

  /** @param {string} type of a message */
  heard(type) {
    this.#heard = performance.now();
    if (type !== 'state') return;
    this.#running = true;
    this.#seen = this.#heard;
  }

  #look() {
    if (document.visibilityState === 'hidden') return; // timers and cameras may be asleep
    const now = performance.now();
    const unseen = now - this.#seen;
    if (!this.#running) {
      if (this.peer.remoteDescription && unseen > CONNECTING_PATIENCE_MS) this.fail('not_connected');
      return;
    }
    const patience = navigator.onLine ? PATIENCE_MS : OFFLINE_PATIENCE_MS;
    if (now - this.#heard > patience || unseen > STATE_PATIENCE_MS) this.fail('lost');
    else if (now - Math.max(this.#heard, this.#pinged) > QUIET_MS) this.#ping();
  }

  #ping() {
    this.#pinged = performance.now();
    if (this.channel.readyState === 'open') this.channel.send('{"type":"ping"}');
  }
}
