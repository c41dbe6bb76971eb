package geyser

import pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

// SampleUpdates gives tests outside the package what those inside use.
func SampleUpdates() []*pb.SubscribeUpdate { return sampleUpdates() }
