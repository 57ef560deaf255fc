module peers/shadowsocks-go

go 1.26

tool github.com/database64128/shadowsocks-go/cmd/shadowsocks-go

require (
	github.com/database64128/netx-go v0.1.0 // indirect
	github.com/database64128/shadowsocks-go v1.14.0 // indirect
	github.com/database64128/tfo-go/v2 v2.2.2 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/oschwald/geoip2-golang v1.11.0 // indirect
	github.com/oschwald/maxminddb-golang v1.13.1 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	go4.org/netipx v0.0.0-20231129151722-fdeea329fbba // indirect
	golang.org/x/net v0.40.0 // indirect
	golang.org/x/sys v0.33.0 // indirect
	lukechampine.com/blake3 v1.4.1 // indirect
)
