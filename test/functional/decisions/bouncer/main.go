// A bouncer as others write them, on CrowdSec's own library. What it hears of Spanwarden it prints, one JSON document a line.
//
//	bouncer live URL KEY     asks for each address that it reads as a line of stdin: {"address", "decisions"} or {"address", "error"}
//	bouncer stream URL KEY   pulls every 100 ms: {"new", "deleted"} for each pull that told something, and the first; {"closed"} at its end
//	bouncer metrics URL KEY  reports its usage once: {"status"}
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/models"
	csbouncer "github.com/crowdsecurity/go-cs-bouncer"
	"github.com/sirupsen/logrus"
)

var out = json.NewEncoder(os.Stdout)

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func say(document any) {
	if err := out.Encode(document); err != nil {
		fail(err)
	}
}

func live(url, key string) {
	bouncer := &csbouncer.LiveBouncer{APIUrl: url, APIKey: key, UserAgent: "test-live/v1.0.0"}
	if err := bouncer.Init(); err != nil {
		fail(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		address := lines.Text()
		decisions, err := bouncer.Get(address)
		if err != nil {
			say(map[string]any{"address": address, "error": err.Error()})
			continue
		}
		// what bouncers do with durations
		for _, decision := range *decisions {
			if _, err := time.ParseDuration(*decision.Duration); err != nil {
				fail(err)
			}
		}
		say(map[string]any{"address": address, "decisions": decisions})
	}
}

func stream(url, key string) {
	bouncer := &csbouncer.StreamBouncer{
		APIUrl: url, APIKey: key, UserAgent: "test-stream/v1.0.0", TickerInterval: "100ms", Scopes: []string{"ip", "range"},
	}
	if err := bouncer.Init(); err != nil {
		fail(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		// the end of stdin ends it
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		}
		cancel()
	}()
	go bouncer.Run(ctx)
	first := true
	for {
		select {
		case <-ctx.Done():
			return
		case told, open := <-bouncer.Stream:
			if !open {
				say(map[string]any{"closed": true})
				return
			}
			for _, decision := range append(append(models.GetDecisionsResponse{}, told.New...), told.Deleted...) {
				if _, err := time.ParseDuration(*decision.Duration); err != nil {
					fail(err)
				}
			}
			if first || len(told.New)+len(told.Deleted) > 0 {
				say(told)
			}
			first = false
		}
	}
}

func metrics(url, key string) {
	bouncer := &csbouncer.LiveBouncer{APIUrl: url, APIKey: key, UserAgent: "test-metrics/v1.0.0"}
	if err := bouncer.Init(); err != nil {
		fail(err)
	}
	name, unit, value := "dropped", "packet", 7.0
	window, stamp, version, started := int64(900), time.Now().Unix(), "v1.0.0", time.Now().Unix()
	osName, osVersion := "linux", "1"
	items := []*models.MetricsDetailItem{{Name: &name, Unit: &unit, Value: &value, Labels: models.MetricsLabels{"origin": "spanwarden"}}}
	component := &models.RemediationComponentsMetrics{
		Type: "test-metrics",
		BaseMetrics: models.BaseMetrics{
			Os:                  &models.OSversion{Name: &osName, Version: &osVersion},
			Version:             &version,
			FeatureFlags:        []string{},
			UtcStartupTimestamp: &started,
			Metrics: []*models.DetailedMetrics{
				{Items: items, Meta: &models.MetricsMeta{UtcNowTimestamp: &stamp, WindowSizeSeconds: &window}},
			},
		},
	}
	_, response, err := bouncer.APIClient.UsageMetrics.Add(
		context.Background(),
		&models.AllMetrics{RemediationComponents: []*models.RemediationComponentsMetrics{component}},
	)
	if err != nil {
		fail(err)
	}
	say(map[string]any{"status": response.Response.StatusCode})
}

func main() {
	logrus.SetOutput(os.Stderr)
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: bouncer live|stream|metrics URL KEY"))
	}
	modes := map[string]func(string, string){"live": live, "stream": stream, "metrics": metrics}
	mode, known := modes[os.Args[1]]
	if !known {
		fail(fmt.Errorf("no mode %s", os.Args[1]))
	}
	mode(os.Args[2], os.Args[3])
}
