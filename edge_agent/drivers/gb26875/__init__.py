"""GB/T 26875.3-2011: fire alarm transmitters (用户信息传输装置) that report to a centre."""
