// Publishes an IVF file of VP8 over WHIP with werift, again and again, and prints what it is told.
import { readFileSync } from 'node:fs';
import { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useVP8 } from 'werift';

const { WHIP_URL, WHIP_TOKEN, WHIP_VIDEO } = process.env;
const PAYLOAD_TYPE = 96;
const TICKS_PER_FRAME = 3000; // of 90 kHz, at 30 frames a second

function* frames(ivf) {
  for (let at = 32; at < ivf.length; ) {
    const size = ivf.readUInt32LE(at);
    yield ivf.subarray(at + 12, at + 12 + size);
    at += 12 + size;
  }
}

const peer = new RTCPeerConnection({
  iceServers: [],
  iceUseIpv6: false,
  iceAdditionalHostAddresses: ['127.0.0.1'],
  codecs: { audio: [], video: [useVP8({ payloadType: PAYLOAD_TYPE })] },
});
const track = new MediaStreamTrack({ kind: 'video' });
peer.addTransceiver(track, { direction: 'sendonly' });
const channel = peer.createDataChannel('liveness');
channel.onMessage.subscribe((text) => {
  console.log(text.toString());
  if (JSON.parse(text.toString()).type === 'verdict') setTimeout(() => process.exit(0), 200);
});

await peer.setLocalDescription(await peer.createOffer());
const response = await fetch(WHIP_URL, {
  method: 'POST',
  headers: { Authorization: `Bearer ${WHIP_TOKEN}`, 'Content-Type': 'application/sdp' },
  body: peer.localDescription.sdp,
});
if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
await peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });

const pictures = [...frames(readFileSync(WHIP_VIDEO))];
let number = 0;
setInterval(() => {
  if (peer.connectionState !== 'connected') return;
  const header = new RtpHeader({
    version: 2,
    marker: true,
    payloadType: PAYLOAD_TYPE,
    sequenceNumber: number & 0xffff,
    timestamp: (number * TICKS_PER_FRAME) >>> 0,
    ssrc: 1234,
  });
  // Each picture fits a packet; 0x10 says that a partition begins in it (RFC 7741 section 4.2).
  const payload = Buffer.concat([Buffer.from([0x10]), pictures[number++ % pictures.length]]);
  track.writeRtp(new RtpPacket(header, payload));
}, 1000 / 30);
