"""HJ 212: what data loggers of pollution sources and air stations send to an environment bureau."""
