// Reads an Envoy bootstrap as JSON from stdin, strictly, into Envoy's own API types, checks every message's validation rules, those
// inside typed_config too, and prints it as Envoy's types have it. Exit code 1 and a line on stderr for what Envoy would refuse.
package main

import (
	"fmt"
	"io"
	"os"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

type validated interface{ ValidateAll() error }

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func check(message proto.Message) {
	if one, has := message.(validated); has {
		if err := one.ValidateAll(); err != nil {
			fail(err)
		}
	}
	walk(message.ProtoReflect())
}

// What an Any holds is another message, which ValidateAll does not look into.
func walk(message protoreflect.Message) {
	if wrapped, is := message.Interface().(*anypb.Any); is {
		inner, err := wrapped.UnmarshalNew()
		if err != nil {
			fail(err)
		}
		check(inner)
		return
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				value.Map().Range(func(_ protoreflect.MapKey, each protoreflect.Value) bool {
					walk(each.Message())
					return true
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				walk(value.List().Get(i).Message())
			}
		default:
			walk(value.Message())
		}
		return true
	})
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	config := &bootstrap.Bootstrap{}
	if err := protojson.Unmarshal(text, config); err != nil {
		fail(err)
	}
	check(config)
	printed, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(config)
	if err != nil {
		fail(err)
	}
	os.Stdout.Write(printed)
}
