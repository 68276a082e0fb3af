# The instance's own programs come first, whoever looks for them.
case ":$PATH:" in
*:/opt/atoll/bin:*) ;;
*) PATH=/opt/atoll/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ;;
esac
export PATH
# The AWS CLI and SDKs bring certificates of their own, and would not look at the instance's.
: "${AWS_CA_BUNDLE:=/etc/ssl/certs/ca-certificates.crt}"
[ ! -e "$AWS_CA_BUNDLE" ] || export AWS_CA_BUNDLE
