/** A WHIP client (RFC 9725): publishes one video track, with a data channel beside it. */

import { accepted, request, SERVER } from './session.js';

const CHANNEL_LABEL = 'liveness';
/** Plenty for a sharp face at 640x480, and within what a weak mobile uplink carries. */
const MAX_BITRATE_BPS = 1_200_000;
/** Host candidates are there at once; a slow STUN or TURN server must not hold up the offer. */
const GATHERING_CAP_MS = 1000;

export class WhipClient {
  /** @type {URL | null} */
  #resource = null;
  /** @type {string | null} */
  #etag = null;
  /** @type {RTCIceCandidate[]} those that came too late for the offer */
  #late = [];
  /** @type {RTCRtpSender | null} */
  #sender = null;

  /**
   * @param {string} endpoint
   * @param {string} token
   * @param {RTCIceServer[]} [iceServers] see `iceServers`
   */
  constructor(endpoint, token, iceServers = []) {
    this.endpoint = new URL(endpoint, SERVER);
    this.authorization = `Bearer ${token}`;
    this.peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.channel = this.peer.createDataChannel(CHANNEL_LABEL, { ordered: true });
  }

  /**
   * Offer the stream's video and take the answer.
   *
   * @param {MediaStream} stream
   * @returns {Promise<void>}
   * @throws {import('./problem.js').Problem}
   */
  async publish(stream) {
    await this.#send(stream);
    await this.peer.setLocalDescription();
    await gathered(this.peer, GATHERING_CAP_MS);
    const offer = /** @type {RTCSessionDescription} */ (this.peer.localDescription).sdp;
    this.peer.addEventListener('icecandidate', ({ candidate }) => this.#trickle(candidate));
    const response = await accepted(
      await this.#request(this.endpoint, 'POST', 'application/sdp', offer),
    );
    this.#resource = new URL(response.headers.get('Location') ?? '', this.endpoint);
    this.#etag = response.headers.get('ETag');
    if (this.peer.signalingState === 'closed') return this.leave(); // given up while it answered
    await this.peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    await this.#patch();
  }

  /**
   * Go on with another camera; needs no new offer.
   *
   * @param {MediaStream} stream
   */
  async replace(stream) {
    await this.#sender?.replaceTrack(videoOf(stream));
  }

  /** Close the connection; the server keeps the session. */
  close() {
    this.peer.close();
  }

  /** End the session on the server. It may be the last thing that a page does. */
  leave() {
    this.close();
    if (!this.#resource) return;
    const headers = { Authorization: this.authorization };
    const resource = this.#resource;
    this.#resource = null;
    // Nobody is left to be told when it fails, and the server sees silence soon enough.
    fetch(resource, { method: 'DELETE', headers, keepalive: true }).catch(() => {});
  }

  /** @param {MediaStream} stream */
  async #send(stream) {
    const { sender } = this.peer.addTransceiver(videoOf(stream), {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [{ maxBitrate: MAX_BITRATE_BPS }],
    });
    this.#sender = sender;
    // A blink lasts three frames: better a coarser picture than a missing one.
    await sender.setParameters({ ...sender.getParameters(), degradationPreference: 'maintain-framerate' });
  }

  /** @param {RTCIceCandidate | null} candidate */
  #trickle(candidate) {
    if (!candidate?.candidate) return;
    this.#late.push(candidate);
    void this.#patch();
  }

  /** Send the late candidates as an SDP fragment (RFC 9725, section 4.3; RFC 8840). */
  async #patch() {
    if (!this.#resource || this.#late.length === 0) return;
    const fragment = sdpFragment(this.peer.localDescription?.sdp ?? '', this.#late.splice(0));
    const response = await this.#request(
      this.#resource,
      'PATCH',
      'application/trickle-ice-sdpfrag',
      fragment,
      this.#etag ? { 'If-Match': this.#etag } : {},
    ).catch((/** @type {unknown} */ error) => error);
    // The candidates that the offer carried may well do: only the connection itself decides.
    if (!(response instanceof Response && response.ok)) console.warn('trickle refused', response);
  }

  /**
   * @param {URL} url
   * @param {string} method
   * @param {string} type
   * @param {string} body
   * @param {Record<string, string>} [more] further headers
   */
  #request(url, method, type, body, more = {}) {
    const headers = { Authorization: this.authorization, 'Content-Type': type, ...more };
    return request(url, { method, headers, body });
  }
}

/**
 * The ICE servers that the endpoint names in Link headers. Browsers gather once, before the offer
 * goes out, so they are asked for before it (RFC 9725, section 4.6).
 *
 * @param {string} endpoint
 * @param {string} token
 * @returns {Promise<RTCIceServer[]>}
 * @throws {import('./problem.js').Problem} where the server is not there
 */
export async function iceServers(endpoint, token) {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await request(endpoint, { method: 'OPTIONS', headers });
  return parseIceServers(response.headers.get('Link') ?? '');
}

/**
 * @param {string} link such as `<turn:turn.example.net>; rel="ice-server"; username="u"; credential="c"`
 * @returns {RTCIceServer[]}
 */
export function parseIceServers(link) {
  const servers = [];
  for (const [, urls, rest] of link.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+=(?:"(?:\\.|[^"\\])*"|[^\s;,]*))*)/g)) {
    const parameters = Object.fromEntries(
      [...rest.matchAll(/;\s*([\w-]+)=(?:"((?:\\.|[^"\\])*)"|([^\s;,]*))/g)].map(
        ([, name, quoted, plain]) => [name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain],
      ),
    );
    if (parameters.rel !== 'ice-server') continue;
    const { username, credential } = parameters;
    servers.push(username === undefined ? { urls } : { urls, username, credential });
  }
  return servers;
}

/**
 * @param {string} offer
 * @param {RTCIceCandidate[]} candidates
 * @returns {string}
 */
export function sdpFragment(offer, candidates) {
  const lines = offer.split('\r\n');
  const media = lines.findIndex((line) => line.startsWith('m='));
  const find = (/** @type {string} */ start) =>
    lines.slice(media).find((line) => line.startsWith(start));
  return [
    lines.find((line) => line.startsWith('a=group:BUNDLE')),
    lines[media],
    find('a=mid:'),
    find('a=ice-ufrag:'),
    find('a=ice-pwd:'),
    ...candidates.map(({ candidate }) => `a=${candidate}`),
    '',
  ].filter((line) => line !== undefined).join('\r\n');
}

/** @param {MediaStream} stream */
function videoOf(stream) {
  const [track] = stream.getVideoTracks();
  track.contentHint = 'motion';
  return track;
}

/**
 * Wait until all candidates are known, but no longer than `cap` ms.
 *
 * @param {RTCPeerConnection} peer
 * @param {number} cap
 * @returns {Promise<void>}
 */
function gathered(peer, cap) {
  return new Promise((resolve) => {
    const look = () => {
      if (peer.iceGatheringState !== 'complete') return;
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(resolve, cap);
    peer.addEventListener('icegatheringstatechange', look);
    look();
  });
}
