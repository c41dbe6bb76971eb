package replay

import (
	"fmt"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// refuseUnknown finds fields that the stubs do not know: what a newer client
// asks must not be ignored. Names are given for those that geyser.proto is
// known to have.
func refuseUnknown(r *pb.SubscribeRequest) error {
	return unknownIn(r.ProtoReflect(), "request")
}

func unknownIn(m protoreflect.Message, path string) error {
	for b := m.GetUnknown(); len(b) > 0; {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return fmt.Errorf("%s: fields that cannot be read", path)
		}
		b = b[n:]
		if isTransactions(m) && num == fieldTokenAccounts {
			continue
		}
		return fmt.Errorf("%s: field %d%s is not supported by this server", path, num, knownName(m, num))
	}
	var err error
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + "." + string(fd.Name())
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() == nil {
				return true
			}
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				err = unknownIn(v.Message(), fmt.Sprintf("%s[%q]", name, short(k.String())))
				return err == nil
			})
		case fd.Message() == nil:
		case fd.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = unknownIn(v.List().Get(i).Message(), fmt.Sprintf("%s[%d]", name, i))
			}
		default:
			err = unknownIn(v.Message(), name)
		}
		return err == nil
	})
	return err
}

func isTransactions(m protoreflect.Message) bool {
	return m.Descriptor().Name() == "SubscribeRequestFilterTransactions"
}

// knownName names fields that geyser.proto 12.6.0 has beyond the Go stubs.
func knownName(m protoreflect.Message, num protowire.Number) string {
	name := ""
	switch m.Descriptor().Name() {
	case "SubscribeRequestFilterTransactions":
		if num == 7 {
			name = "cuckoo_account_include"
		}
	case "SubscribeRequestFilterAccounts":
		if num == 6 {
			name = "cuckoo_accounts_filter"
		}
	case "SubscribeRequestFilterBlocks":
		if num == 5 {
			name = "cuckoo_account_include"
		}
	}
	if name != "" {
		return " (" + name + ")"
	}
	return ""
}
