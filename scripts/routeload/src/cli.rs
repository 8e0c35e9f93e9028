// SPDX-License-Identifier: GPL-2.0
//! The command line.

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand};

use crate::inject;
use crate::nexthop::{Skew, Via};

/// Loads, changes and removes full Internet routing tables through packed
/// netlink messages, and sends packet streams over them.
///
/// A table is text, one 'prefix [origin AS or next hop]' a line, '#' starts a
/// comment; xz and gzip files are unpacked. Prefixes of one origin AS share a
/// next hop of --via, chosen by a hash with the skew measured on real routers;
/// next hops that the table names are numbered in order of appearance and
/// mapped to the --via list in turn, or used as they are without --via.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Add the routes of a table to the kernel
    Load {
        #[command(flatten)]
        routes: RouteArgs,
        /// Replace routes that exist instead of reporting them
        #[arg(long)]
        replace: bool,
        /// Write some of the loaded entries to this file, spread evenly over the table
        #[arg(long, value_name = "FILE")]
        sample: Option<String>,
        #[arg(long, value_name = "N", default_value_t = 50_000)]
        sample_size: usize,
    },
    /// Delete the routes of a table from the kernel
    #[command(visible_alias = "delete")]
    Unload {
        #[command(flatten)]
        routes: RouteArgs,
    },
    /// Compare the kernel's routes with a table: what is missing, what else is there
    Verify {
        #[command(flatten)]
        routes: RouteArgs,
    },
    /// Replay an update trace of 'A prefix' and 'W prefix' lines
    Replay(ReplayArgs),
    /// Send UDP packets to addresses drawn evenly over the prefixes of a table
    Stream(StreamArgs),
    /// Count the packets of a stream
    Sink(SinkArgs),
    /// Write the addresses of a stream, for the benchmarks' module
    Keys(KeysArgs),
    /// Turn the output of 'location dump', or any table, into a clean sorted table
    Prepare(PrepareArgs),
}

#[derive(Args)]
pub struct RouteArgs {
    /// The table: a file, or - for standard input
    pub table_file: String,
    /// Take only this many routes, spread evenly over the table
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub kernel: KernelArgs,
}

#[derive(Args)]
pub struct KernelArgs {
    /// Next hops: ADDRESS, ADDRESS@DEVICE or @DEVICE, comma-separated, most used first
    #[arg(long, value_delimiter = ',', value_name = "NEXTHOP")]
    pub via: Vec<Via>,
    /// Device of next hops that name none
    #[arg(long)]
    pub dev: Option<String>,
    /// Use only the first N next hops of --via
    #[arg(long, value_name = "N")]
    pub nexthops: Option<usize>,
    /// How unevenly prefixes spread over the next hops
    #[arg(long, value_enum, default_value_t = Skew::Transit)]
    pub skew: Skew,
    /// Choose the next hop per prefix, not per origin AS (the worst case for merging)
    #[arg(long)]
    pub per_prefix: bool,
    /// Routing table of the kernel
    #[arg(long, default_value_t = 254)]
    pub table: u32,
    #[arg(long)]
    pub metric: Option<u32>,
    /// Routing protocol number of the routes (186: BGP)
    #[arg(long, default_value_t = 186)]
    pub proto: u8,
    /// Messages in one send
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub batch: u16,
    /// Write key=value results to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
}

#[derive(Args)]
pub struct ReplayArgs {
    /// The trace: a file, or - for standard input
    pub trace: String,
    /// Table that gives the origin AS of the announced prefixes
    #[arg(long, value_name = "FILE")]
    pub origins: Option<String>,
    /// Updates a second; as fast as possible if not given
    #[arg(long)]
    pub rate: Option<u64>,
    /// With --rate: this many updates at once, then a pause, as routers send them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub burst: Option<u16>,
    /// Stop after this many updates
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Per cent of the announcements that move their prefix to another next hop
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub moves: u8,
    #[command(flatten)]
    pub kernel: KernelArgs,
}

#[derive(Args)]
pub struct StreamArgs {
    /// The table whose prefixes are sent to
    pub table_file: String,
    /// Take only this many routes, spread evenly over the table (as load does)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Different destinations
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub destinations: usize,
    /// Packets [default: one to each destination]
    #[arg(long)]
    pub count: Option<u64>,
    /// Packets a second; as fast as possible if not given
    #[arg(long)]
    pub rate: Option<u64>,
    /// Draw packets by a Zipf law with this exponent instead of in turn
    #[arg(long, value_name = "S")]
    pub zipf: Option<f64>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[arg(long, default_value_t = 9)]
    pub port: u16,
    /// Source address
    #[arg(long)]
    pub source: Option<IpAddr>,
    /// Packets in one system call
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub batch: u16,
    /// Put frames on this device from a packet ring instead of using a UDP socket
    #[arg(long, value_name = "DEVICE", requires = "dst_mac")]
    pub inject: Option<String>,
    /// MAC address of the router, for --inject
    #[arg(long, value_name = "MAC")]
    pub dst_mac: Option<inject::Mac>,
    /// Write key=value results to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
}

#[derive(Args)]
pub struct KeysArgs {
    /// The table whose prefixes the destinations are drawn from
    pub table_file: String,
    /// Take only this many routes, spread evenly over the table (as load does)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Different destinations
    #[arg(long, value_name = "N")]
    pub destinations: usize,
    /// Draw this many packets by a Zipf law with exponent --zipf instead of each destination once
    #[arg(long, value_name = "N", requires = "zipf")]
    pub count: Option<usize>,
    #[arg(long, value_name = "S")]
    pub zipf: Option<f64>,
    /// Source address
    #[arg(long)]
    pub source: IpAddr,
    /// Another source for each packet: so many bits at the end of --source are counted through
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=24))]
    pub sources: Option<u8>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to write: destination and source of each packet, in network order
    #[arg(short, long, value_name = "FILE")]
    pub output: String,
}

#[derive(Args)]
pub struct SinkArgs {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0")]
    pub address: IpAddr,
    #[arg(long, default_value_t = 9)]
    pub port: u16,
    /// Seconds to wait for the first packet
    #[arg(long, default_value_t = 60.0)]
    pub first: f64,
    /// Seconds without a packet that end the count
    #[arg(long, default_value_t = 2.0)]
    pub idle: f64,
    /// End as soon as this many packets came
    #[arg(long)]
    pub expect: Option<u64>,
    /// Create this file once packets can come
    #[arg(long, value_name = "FILE")]
    pub ready: Option<String>,
    /// Write key=value results to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
}

#[derive(Args)]
pub struct PrepareArgs {
    /// Output of 'location dump', or a table with --table-in: a file, or -
    pub input: String,
    /// The input is a table already
    #[arg(long)]
    pub table_in: bool,
    /// Give prefixes without origin that of their longest match in this table
    #[arg(long, value_name = "FILE")]
    pub origins: Option<String>,
    #[arg(short = '4', conflicts_with = "v6")]
    pub v4: bool,
    #[arg(short = '6')]
    pub v6: bool,
    /// Where to write; only a complete table gets this name
    #[arg(short, long, value_name = "FILE")]
    pub output: String,
}
