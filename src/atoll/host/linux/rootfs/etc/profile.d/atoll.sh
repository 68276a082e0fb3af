# The instance's own programs come first, whoever looks for them.
case ":$PATH:" in
*:/opt/atoll/bin:*) ;;
*) PATH=/opt/atoll/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ;;
esac
export PATH
