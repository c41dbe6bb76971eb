package geyser_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay"
)

// few is a Source of a few updates.
type few []*pb.SubscribeUpdate

func (f *few) Next(context.Context) (*pb.SubscribeUpdate, error) {
	if len(*f) == 0 {
		return nil, io.EOF
	}
	u := (*f)[0]
	*f = (*f)[1:]
	return u, nil
}

// TestWalletIsSent: a transfer into a wallet's token account at any address,
// which names the wallet nowhere but among the owners, comes from a server that
// knows owners. Where they are derived it is missed, and one into the associated
// token account comes.
func TestWalletIsSent(t *testing.T) {
	wallet := solana.MustPublicKeyFromBase58("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1")
	associated, _, err := solana.FindAssociatedTokenAddress(wallet, solana.WrappedSol)
	if err != nil {
		t.Fatal(err)
	}
	transfer := func(slot uint64, to solana.PublicKey) *pb.SubscribeUpdate {
		var sig solana.Signature
		sig[0] = byte(slot)
		balance := func(amount string) []*pb.TokenBalance {
			return []*pb.TokenBalance{{
				AccountIndex: 1, Mint: solana.WrappedSol.String(), Owner: wallet.String(),
				ProgramId: solana.TokenProgramID.String(), UiTokenAmount: &pb.UiTokenAmount{Amount: amount, Decimals: 9},
			}}
		}
		payer := solana.PublicKey{9, 9}
		return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{
			Slot: slot,
			Transaction: &pb.SubscribeUpdateTransactionInfo{
				Signature: sig[:],
				Transaction: &pb.Transaction{Signatures: [][]byte{sig[:]}, Message: &pb.Message{
					Header: &pb.MessageHeader{NumRequiredSignatures: 1}, AccountKeys: [][]byte{payer[:], to[:]},
				}},
				Meta: &pb.TransactionStatusMeta{
					PreBalances: []uint64{1, 1}, PostBalances: []uint64{1, 1}, PreTokenBalances: balance("0"), PostTokenBalances: balance("5"),
				},
			},
		}}}
	}
	for mode, want := range map[geyser.TokenAccounts]uint64{geyser.TokenAccountsAuto: 5, geyser.TokenAccountsOn: 5, geyser.TokenAccountsOff: 6} {
		t.Run("mode "+string(mode), func(t *testing.T) {
			server, err := replay.NewLocal(replay.Options{
				Source: &few{transfer(5, solana.PublicKey{7, 7}), transfer(6, associated)}, WaitForClient: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			sub, err := geyser.New(geyser.Options{
				Target: server.Target(), DialOptions: server.DialOptions(), Wallets: []solana.PublicKey{wallet}, TokenAccounts: mode,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			events := make(chan *geyser.Event)
			wg.Go(func() { _ = server.Run(ctx) })
			wg.Go(func() { _ = sub.Run(ctx, events) })
			for {
				select {
				case e := <-events:
					kind, slot := e.Kind, uint64(0)
					if kind == geyser.KindTx {
						slot = e.Tx.Slot
					}
					e.Release()
					if kind != geyser.KindTx {
						continue
					}
					if slot != want {
						t.Errorf("the first transaction is of slot %d, want %d", slot, want)
					}
					return
				case <-time.After(10 * time.Second):
					t.Fatal("no transaction")
				}
			}
		})
	}
}
