// A class held by LiveKit's Go SDK, which is made with Pion: another WebRTC than that of browsers and of the other SDKs.
package tests

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// Long enough for a busy machine; every wait ends as soon as what it waits for is there.
const patience = 60 * time.Second

var httpAddress string

func TestMain(m *testing.M) {
	os.Exit(withServer(m.Run))
}

// withServer runs a `lyceum serve` on ports and a folder of its own.
func withServer(run func() int) int {
	binary := os.Getenv("SERVER_BINARY")
	if binary == "" {
		binary, _ = filepath.Abs("../../target/debug/lyceum")
	}
	folder, err := os.MkdirTemp("", "lyceum-go-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	httpAddress = freeAddress()
	server := exec.Command(binary, "serve", "--dev")
	server.Env = append(os.Environ(),
		"LYCEUM_HTTP_BIND="+httpAddress,
		"LYCEUM_MEDIA_UDP_PORT=0",
		"LYCEUM_MEDIA_TCP_BIND="+freeAddress(),
		"LYCEUM_STORE_DIR="+folder,
	)
	if err := server.Start(); err != nil {
		panic(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	for giveUp := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get("http://" + httpAddress + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return run()
			}
		}
		if time.Now().After(giveUp) {
			panic("the server did not start")
		}
	}
}

func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// person is one connected client, and what its SDK told it.
type person struct {
	*lksdk.Room
	mutex sync.Mutex
	// What came of others' tracks: the payloads of packets by the name of the track.
	packets map[string][][]byte
	data    []string
	left    []string
	muted   int
	ended   bool
}

func joins(t *testing.T, identity string) *person {
	t.Helper()
	p := &person{packets: map[string][][]byte{}}
	told := func(f func()) {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		f()
	}
	callback := lksdk.NewRoomCallback()
	callback.OnDisconnected = func() { told(func() { p.ended = true }) }
	callback.OnParticipantDisconnected = func(other *lksdk.RemoteParticipant) {
		told(func() { p.left = append(p.left, other.Identity()) })
	}
	callback.OnDataPacket = func(packet lksdk.DataPacket, from lksdk.DataReceiveParams) {
		if user, ok := packet.(*lksdk.UserDataPacket); ok {
			told(func() { p.data = append(p.data, from.SenderIdentity+": "+string(user.Payload)) })
		}
	}
	callback.OnTrackMuted = func(lksdk.TrackPublication, lksdk.Participant) { told(func() { p.muted++ }) }
	callback.OnTrackSubscribed = func(track *webrtc.TrackRemote, publication *lksdk.RemoteTrackPublication, _ *lksdk.RemoteParticipant) {
		go func() {
			for {
				packet, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				told(func() { p.packets[publication.Name()] = append(p.packets[publication.Name()], packet.Payload) })
			}
		}()
	}
	room, err := lksdk.ConnectToRoom("ws://"+httpAddress, lksdk.ConnectInfo{
		APIKey: "devkey", APISecret: "secret", RoomName: t.Name(), ParticipantIdentity: identity,
	}, callback)
	if err != nil {
		t.Fatalf("%s does not come in: %v", identity, err)
	}
	p.Room = room
	t.Cleanup(room.Disconnect)
	return p
}

// publishes sends one sample again and again, until the test ends.
func (p *person) publishes(t *testing.T, name, mimeType string, sample []byte, every time.Duration) *lksdk.LocalTrackPublication {
	t.Helper()
	capability := webrtc.RTPCodecCapability{MimeType: mimeType, ClockRate: 90_000}
	if mimeType == webrtc.MimeTypeOpus {
		capability.ClockRate, capability.Channels = 48_000, 2
	}
	track, err := lksdk.NewLocalTrack(capability)
	if err != nil {
		t.Fatal(err)
	}
	publication, err := p.LocalParticipant.PublishTrack(track, &lksdk.TrackPublicationOptions{Name: name})
	if err != nil {
		t.Fatalf("publishing %s: %v", name, err)
	}
	sending, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() {
		for sending.Err() == nil {
			track.WriteSample(media.Sample{Data: sample, Duration: every}, nil)
			time.Sleep(every)
		}
	}()
	return publication
}

// eventually waits until the condition holds for what this person was told.
func (p *person) eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		p.mutex.Lock()
		holds := condition()
		p.mutex.Unlock()
		if holds {
			return
		}
		if time.Now().After(giveUp) {
			t.Fatalf("still waiting: %s", what)
		}
	}
}

// The sample is not sound that a codec made, and need not be: a server that forwards leaves payloads as they are.
var voice = []byte{0xfc, 1, 2, 3, 5, 8, 13, 21}

// A VP8 key frame's header, of 16 by 16 pixels, and what a decoder would call noise.
var picture = append([]byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00}, bytes.Repeat([]byte{0x5a}, 200)...)

func TestVoicesAndPicturesArriveAsTheyWereSent(t *testing.T) {
	ada := joins(t, "ada")
	ada.publishes(t, "voice", webrtc.MimeTypeOpus, voice, 20*time.Millisecond)
	ada.publishes(t, "picture", webrtc.MimeTypeVP8, picture, 66*time.Millisecond)
	bo := joins(t, "bo")
	bo.eventually(t, "Ada's voice", func() bool {
		for _, payload := range bo.packets["voice"] {
			if bytes.Equal(payload, voice) {
				return true
			}
		}
		return false
	})
	bo.eventually(t, "Ada's picture", func() bool {
		for _, payload := range bo.packets["picture"] {
			// A descriptor of some bytes comes before the frame.
			if bytes.HasSuffix(payload, picture) {
				return true
			}
		}
		return false
	})
}

func TestDataReachesThoseItIsFor(t *testing.T) {
	ada, bo, cleo := joins(t, "ada"), joins(t, "bo"), joins(t, "cleo")
	sends := func(text string, to ...string) {
		options := []lksdk.DataPublishOption{lksdk.WithDataPublishReliable(true)}
		if len(to) > 0 {
			options = append(options, lksdk.WithDataPublishDestination(to))
		}
		if err := ada.LocalParticipant.PublishDataPacket(lksdk.UserData([]byte(text)), options...); err != nil {
			t.Fatal(err)
		}
	}
	sends("for Bo", "bo")
	sends("for all")
	bo.eventually(t, "both", func() bool { return fmt.Sprint(bo.data) == "[ada: for Bo ada: for all]" })
	cleo.eventually(t, "one", func() bool { return fmt.Sprint(cleo.data) == "[ada: for all]" })
}

func TestCallsAndTextsGoBetweenPeople(t *testing.T) {
	ada, bo := joins(t, "ada"), joins(t, "bo")
	if err := bo.RegisterRpcMethod("greet", func(call lksdk.RpcInvocationData) (string, error) {
		return call.Payload + ", " + call.CallerIdentity, nil
	}); err != nil {
		t.Fatal(err)
	}
	answer, err := ada.LocalParticipant.PerformRpc(lksdk.PerformRpcParams{DestinationIdentity: "bo", Method: "greet", Payload: "hello"})
	if err != nil || *answer != "hello, ada" {
		t.Fatalf("the call brought %v, %v", answer, err)
	}

	var essays []string
	if err := bo.RegisterTextStreamHandler("essay", func(reader *lksdk.TextStreamReader, from string) {
		text := reader.ReadAll()
		bo.mutex.Lock()
		defer bo.mutex.Unlock()
		essays = append(essays, from+": "+text)
	}); err != nil {
		t.Fatal(err)
	}
	text := string(bytes.Repeat([]byte("the square of two "), 3_000))
	topic := "essay"
	ada.LocalParticipant.SendText(text, lksdk.StreamTextOptions{Topic: topic})
	bo.eventually(t, "the essay", func() bool { return len(essays) == 1 && essays[0] == "ada: "+text })
}

func TestMutesUnsubscriptionsAndGoodbyesAreSeen(t *testing.T) {
	ada, bo := joins(t, "ada"), joins(t, "bo")
	publication := ada.publishes(t, "voice", webrtc.MimeTypeOpus, voice, 20*time.Millisecond)
	bo.eventually(t, "Ada's voice", func() bool { return len(bo.packets["voice"]) > 0 })
	publication.SetMuted(true)
	bo.eventually(t, "the mute", func() bool { return bo.muted > 0 })
	if err := ada.LocalParticipant.UnpublishTrack(publication.SID()); err != nil {
		t.Fatal(err)
	}
	bo.eventually(t, "the end of the track", func() bool {
		seen := bo.GetParticipantByIdentity("ada")
		return seen != nil && len(seen.TrackPublications()) == 0
	})
	ada.Disconnect()
	bo.eventually(t, "the goodbye", func() bool { return fmt.Sprint(bo.left) == "[ada]" })
}

func TestASecondConnectionTakesThePlaceOfTheFirst(t *testing.T) {
	first, bo := joins(t, "ada"), joins(t, "bo")
	second := joins(t, "ada")
	first.eventually(t, "the end of the first", func() bool { return first.ended })
	second.publishes(t, "voice", webrtc.MimeTypeOpus, voice, 20*time.Millisecond)
	bo.eventually(t, "the voice of the second", func() bool { return len(bo.packets["voice"]) > 0 })
	if kind := bo.GetParticipantByIdentity("ada").Kind(); kind != lksdk.ParticipantStandard {
		t.Fatalf("ada is a %v", livekit.ParticipantInfo_Kind(kind))
	}
}
