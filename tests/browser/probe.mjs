// Runs in each page before the app. In place of the browser's fake devices, which are the same for everybody, it gives the
// microphone one pure tone of its own and the camera a portrait on a background of its own colour; and it lets a test ask
// what really arrives: which tone is heard, and which picture is decoded and shown.
export function probe({ hz, hue }) {
  const sound = new AudioContext();
  const framesPerSecond = 15;

  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    // There is one fake device of each kind; Firefox does not know it by its id again.
    const any = (constraints) =>
      constraints instanceof Object ? { ...constraints, deviceId: undefined } : constraints;
    const stream = await real({ audio: any(audio), video: any(video) });
    for (const device of stream.getTracks()) {
      const own = device.kind === "audio" ? tone() : portrait(device.getSettings());
      const settings = device.getSettings();
      own.getSettings = () => settings;
      // What is drawn and computed cannot be asked to be otherwise; Firefox says so.
      own.applyConstraints = () => Promise.resolve();
      device.stop();
      stream.removeTrack(device);
      stream.addTrack(own);
    }
    return stream;
  };

  function tone(frequency = hz, channelCount = 1) {
    const oscillator = new OscillatorNode(sound, { frequency });
    const loudness = new GainNode(sound, { gain: 0.3 });
    const output = new MediaStreamAudioDestinationNode(sound, { channelCount });
    oscillator.connect(loudness).connect(output);
    oscillator.start();
    return output.stream.getAudioTracks()[0];
  }

  function portrait({ width, height }) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const [track] = canvas.captureStream(framesPerSecond).getVideoTracks();
    const painting = setInterval(() => {
      if (track.readyState === "ended") clearInterval(painting);
      else paint(canvas.getContext("2d"), width, height);
    }, 1000 / framesPerSecond);
    return track;
  }

  function paint(brush, width, height) {
    const seconds = performance.now() / 1000;
    const blob = (color, x, y, radiusX, radiusY = radiusX) => {
      brush.fillStyle = color;
      brush.beginPath();
      brush.ellipse(x, y, radiusX, radiusY, 0, 0, 2 * Math.PI);
      brush.fill();
    };
    brush.resetTransform();
    brush.fillStyle = `hsl(${hue} 32% 64%)`;
    brush.fillRect(0, 0, width, height);
    // From here on the picture is 16 wide and 9 high, and sways a little.
    brush.scale(width / 16, height / 9);
    brush.translate(Math.sin(seconds + hue) / 5, 0);
    const skin = `hsl(26 42% ${45 + (hue % 40)}%)`;
    blob(`hsl(22 36% ${10 + (hue % 12)}%)`, 8, 3.6, 1.95, 2.15);
    blob(skin, 8, 6.2, 0.65, 1);
    blob(`hsl(${hue + 150} 30% 34%)`, 8, 9.7, 3.6, 3.1);
    blob(skin, 8, 4.1, 1.6, 1.9);
    blob("#222", 7.4, 3.9, 0.14);
    blob("#222", 8.6, 3.9, 0.14);
    blob("#833", 8, 5.05, 0.45, 0.12 + Math.abs(Math.sin(seconds * 5)) / 6);
  }

  const analysers = new WeakMap();
  function analyserOf(track) {
    if (!analysers.has(track)) {
      const analyser = new AnalyserNode(sound, { fftSize: 8192, smoothingTimeConstant: 0 });
      sound.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      analysers.set(track, analyser);
    }
    return analysers.get(track);
  }

  /** The publication of a source (`microphone`, `camera`, `screen_share`) by the person of this name, if there is one. */
  function publicationOf(name, source) {
    const people = [...(window.__lyceum?.room?.remoteParticipants.values() ?? [])];
    const publications = people.find((person) => person.name === name)?.trackPublications.values() ?? [];
    return [...publications].find((publication) => publication.source === source);
  }

  function hueShown(track) {
    const videos = [...document.querySelectorAll("video")];
    const video = videos.find((video) => video.srcObject?.getVideoTracks()[0] === track);
    if (video === undefined || video.videoWidth === 0) return null;
    const brush = new OffscreenCanvas(1, 1).getContext("2d");
    brush.drawImage(video, 0, 0, video.videoWidth / 20, video.videoHeight / 20, 0, 0, 1, 1);
    const [red, green, blue] = brush.getImageData(0, 0, 1, 1).data;
    const hue = Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * (180 / Math.PI);
    return Math.round(hue + 360) % 360;
  }

  window.__probe = {
    newTone: tone,

    /** The loudest frequency that arrives from somebody's microphone, in hertz; null in silence. */
    tone(name) {
      return this.toneOf(publicationOf(name, "microphone")?.track?.mediaStreamTrack);
    },

    async toneOf(track) {
      if (track === undefined) return null;
      await sound.resume();
      const analyser = analyserOf(track);
      const decibels = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(decibels);
      const loudest = decibels.reduce((best, value, bin) => (value > decibels[best] ? bin : best), 0);
      return decibels[loudest] > -60 ? (loudest * sound.sampleRate) / analyser.fftSize : null;
    },

    /**
     * Of the picture that arrives from somebody: frames decoded so far, the width of the last one in pixels, and the hue of
     * its corner as the page shows it, in degrees (null where it is not shown).
     */
    async picture(name, source) {
      const receiver = publicationOf(name, source)?.track?.receiver;
      const report = [...((await receiver?.getStats())?.values() ?? [])];
      const inbound = report.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video");
      if (inbound === undefined) return { frames: 0, width: 0, hue: null };
      return { frames: inbound.framesDecoded, width: inbound.frameWidth ?? 0, hue: hueShown(receiver.track) };
    },
  };
}
