// Command memberlist is one member of a gossip cluster, run by hashicorp/memberlist itself.
//
// It is the other side in tests: what it prints are one JSON object a line on standard output, what
// it takes are one command a line on standard input:
//
//	members      prints {"event":"members","members":[...]}, alive and suspect ones
//	join ADDR    joins the member at host:port; prints {"event":"joined","count":N,"error":...}
//	leave        leaves gracefully; prints {"event":"left","error":...} and stays in silence
//	quit         ends; so does the end of standard input
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// leaveTimeout is how long a speaker waits for its goodbye to be passed on.
const leaveTimeout = time.Second

// Member is one entry of the member list. Whether it is suspected, memberlist does not tell.
type Member struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
	Port uint16 `json:"port"`
	Meta string `json:"meta"`
}

// Line is what is printed; Event says which of the other fields mean something.
type Line struct {
	Event   string    `json:"event"`
	Time    float64   `json:"time"`
	Member  *Member   `json:"member,omitempty"`
	Members *[]Member `json:"members,omitempty"`
	Count   *int      `json:"count,omitempty"`
	Score   *int      `json:"score,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// printer writes whole lines from any goroutine. It has the delegate's methods too.
type printer struct {
	mutex   sync.Mutex
	encoder *json.Encoder
	began   time.Time
}

func (p *printer) print(line Line) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	line.Time = time.Since(p.began).Seconds()
	// A reader that has gone is the end of this program as well.
	if err := p.encoder.Encode(line); err != nil {
		os.Exit(1)
	}
}

// NotifyJoin prints that a member has joined.
func (p *printer) NotifyJoin(node *memberlist.Node) { p.member("join", node) }

// NotifyLeave prints that a member has left or is taken for dead.
func (p *printer) NotifyLeave(node *memberlist.Node) { p.member("leave", node) }

// NotifyUpdate prints that a member's metadata have changed.
func (p *printer) NotifyUpdate(node *memberlist.Node) { p.member("update", node) }

func (p *printer) member(event string, node *memberlist.Node) {
	member := describe(node)
	p.print(Line{Event: event, Member: &member})
}

func describe(node *memberlist.Node) Member {
	return Member{Name: node.Name, Addr: node.Addr.String(), Port: node.Port, Meta: string(node.Meta)}
}

func main() {
	name := flag.String("name", "", "name of this member")
	bind := flag.String("bind", "127.0.0.1", "address to bind to and to tell the others")
	port := flag.Int("port", 7946, "port, UDP and TCP")
	secret := flag.String("secret", "", "secret, as the speakers' file holds it; empty: no encryption")
	profile := flag.String("profile", "lan", "timing: lan or wan")
	compress := flag.Bool("compress", true, "compress what is sent")
	verbose := flag.Bool("verbose", false, "log what memberlist logs to standard error")
	flag.Parse()
	if err := run(*name, *bind, *port, *secret, *profile, *compress, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(name, bind string, port int, secret, profile string, compress, verbose bool) error {
	out := &printer{encoder: json.NewEncoder(os.Stdout), began: time.Now()}
	config, err := configuration(profile)
	if err != nil {
		return err
	}
	config.Name = name
	config.BindAddr = bind
	config.BindPort = port
	config.AdvertisePort = port
	config.EnableCompression = compress
	config.Events = out
	if secret != "" {
		// The speakers' derivation: the digest of nothing is appended, the secret is not hashed.
		config.SecretKey = sha256.New().Sum([]byte(secret))[:32]
	}
	if verbose {
		config.Logger = log.New(os.Stderr, name+" ", log.Lmicroseconds)
	} else {
		config.Logger = log.New(nowhere{}, "", 0)
	}
	list, err := memberlist.Create(config)
	if err != nil {
		return err
	}
	out.print(Line{Event: "started"})
	obey(list, out, net.JoinHostPort(bind, fmt.Sprint(port)))
	return list.Shutdown()
}

// nowhere drops what is written to it.
type nowhere struct{}

func (nowhere) Write(data []byte) (int, error) { return len(data), nil }

func configuration(profile string) (*memberlist.Config, error) {
	switch profile {
	case "lan":
		return memberlist.DefaultLANConfig(), nil
	case "wan":
		return memberlist.DefaultWANConfig(), nil
	default:
		return nil, fmt.Errorf("unknown profile %q", profile)
	}
}

// obey carries out the commands of standard input until it ends or says quit.
func obey(list *memberlist.Memberlist, out *printer, self string) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, argument, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch command {
		case "members":
			members := []Member{}
			for _, node := range list.Members() {
				members = append(members, describe(node))
			}
			score := list.GetHealthScore()
			out.print(Line{Event: "members", Members: &members, Score: &score})
		case "join":
			count, err := list.Join([]string{argument})
			out.print(Line{Event: "joined", Count: &count, Error: text(err)})
		case "leave":
			out.print(Line{Event: "left", Error: text(list.Leave(leaveTimeout))})
		case "quit":
			return
		default:
			out.print(Line{Event: "error", Error: fmt.Sprintf("%s: unknown command %q", self, command)})
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
