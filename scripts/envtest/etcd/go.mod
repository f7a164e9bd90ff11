// Builds the store of the API server that the tests use; scripts/build_envtest.sh says how.
module ferrolb.invalid/envtest/etcd

go 1.24.0

require go.etcd.io/etcd/server/v3 v3.6.4
