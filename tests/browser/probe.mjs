// Runs in each page before the app. Gives its microphone one pure tone of its own in place of the fake device's beeps, and
// lets a test ask what really arrives: which tones are heard, and which pictures are decoded.
export function probe(hz) {
  const audio = new AudioContext();

  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await real(constraints);
    for (const microphone of stream.getAudioTracks()) {
      stream.removeTrack(microphone);
      stream.addTrack(toneInPlaceOf(microphone));
    }
    return stream;
  };

  function toneInPlaceOf(microphone) {
    const settings = microphone.getSettings();
    const oscillator = new OscillatorNode(audio, { frequency: hz });
    const loudness = new GainNode(audio, { gain: 0.3 });
    const output = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
    oscillator.connect(loudness).connect(output);
    oscillator.start();
    microphone.stop();
    const [tone] = output.stream.getAudioTracks();
    tone.getSettings = () => settings;
    return tone;
  }

  const analysers = new WeakMap();
  function analyserOf(track) {
    if (!analysers.has(track)) {
      const analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
      audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
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

  window.__probe = {
    /** The loudest frequency that arrives from somebody's microphone, in hertz; null in silence. */
    async tone(name) {
      const track = publicationOf(name, "microphone")?.track?.mediaStreamTrack;
      if (track === undefined) return null;
      await audio.resume();
      const analyser = analyserOf(track);
      const decibels = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(decibels);
      const loudest = decibels.reduce((best, value, bin) => (value > decibels[best] ? bin : best), 0);
      return decibels[loudest] > -60 ? (loudest * audio.sampleRate) / analyser.fftSize : null;
    },

    /** Of the picture that arrives from somebody: frames decoded so far, and the size of the last in pixels. */
    async picture(name, source) {
      const receiver = publicationOf(name, source)?.track?.receiver;
      const report = [...((await receiver?.getStats())?.values() ?? [])];
      const inbound = report.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video");
      if (inbound === undefined) return { frames: 0, width: 0, height: 0 };
      return {
        frames: inbound.framesDecoded,
        width: inbound.frameWidth ?? 0,
        height: inbound.frameHeight ?? 0,
      };
    },
  };
}
